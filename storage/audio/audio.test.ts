import { mkdtemp, rm } from 'node:fs/promises'
import { IncomingMessage, type RequestListener, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp, finishApp, type Listening, listen, Problem } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { audioFileOf } from '@hexachord/protocol/manifests'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../ipfs/fixtures/eventually.ts'
import { BlockNotFound, createEmbeddedIpfs, type IpfsNode, KuboUnavailable } from '../ipfs/index.ts'
import { makeTestTrack, type TestTrack } from '../tracks/fixtures/index.ts'
import { loadLocalTrack } from '../tracks/index.ts'
import { audioRoutes } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const segments = 24

let directory: string
let ipfs: IpfsNode
let application: RequestListener
let server: Listening
let track: TestTrack
/** The better rendition, as one file. */
let file: Buffer
let cids: string[]

/** What goes wrong with a block, and what was read. */
const trouble = new Map<string, () => Error>()
const waits = new Map<string, (signal: AbortSignal | undefined) => Promise<void>>()
const taken = new Set<string>()
const reads: string[] = []
const failOn = (cid: string) => {
  const error = trouble.get(cid)?.()
  if (error !== undefined) throw error
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hexachord-audio-'))
  ipfs = await createEmbeddedIpfs({ directory, bitswap: false, logger })
  track = await makeTestTrack({ segments, segmentBytes: 300_000, bandwidths: [96_000, 160_000] })
  for (const { cid, bytes } of track.blocks) await ipfs.putVerified(cid, bytes)
  const bytes = new Map(track.blocks.map((block) => [block.cid, block.bytes]))
  const better = (await loadLocalTrack(ipfs, track.manifest)).renditions[1]
  if (better === undefined) throw new Error('there are two renditions')
  const { parts } = audioFileOf(better)
  cids = parts.flatMap((part) => ('cid' in part ? [part.cid] : []))
  file = Buffer.concat(
    parts.map((part) => ('cid' in part ? (bytes.get(part.cid) ?? new Uint8Array()) : part.bytes)),
  )
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  app.use(
    audioRoutes({
      ipfs: {
        async get(cid, options) {
          reads.push(cid)
          failOn(cid)
          await waits.get(cid)?.(options?.signal)
          return ipfs.get(cid, options)
        },
        async size(cid, options) {
          const isDamaged = trouble.get(cid)?.().message === 'damaged'
          if (!isDamaged) failOn(cid)
          return ipfs.size(cid, options)
        },
      },
      takedowns: {
        requireServed(cid) {
          if (taken.has(cid)) throw new Problem({ status: 410, slug: 'taken-down', detail: cid })
        },
      },
    }),
  )
  application = finishApp(app)
  server = await listen(application, { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.close()
  await ipfs.close()
  await rm(directory, { recursive: true })
})
beforeEach(() => {
  trouble.clear()
  waits.clear()
  taken.clear()
  reads.length = 0
})

const urlOf = (query = '', manifest = track.manifest) => `${server.origin}/audio/${manifest}${query}`
const get = (query?: string, init?: RequestInit) => fetch(urlOf(query), init)
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())
async function problemOf(response: Response) {
  const { type } = (await response.json()) as { type: string }
  return [response.status, type.split(':').at(-1), response.headers.get('etag')]
}
const cidAt = (place: number) => cids[place] ?? ''

describe('a rendition as a file', () => {
  test('is the best AAC unless another is named, and comes whole', async () => {
    const response = await get()
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'audio/mp4',
      'content-length': String(file.length),
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'cache-control': 'public, max-age=29030400, immutable',
      'access-control-allow-origin': '*',
      etag: expect.stringMatching(/^"baguqeera[a-z2-7]+\.indexed\.m4a"$/),
    })
    expect(response.headers.has('content-disposition')).toBe(false)
    expect((await bytesOf(response)).equals(file)).toBe(true)
    const named = await get('?rendition=aac-160')
    expect(named.headers.get('etag')).toBe(response.headers.get('etag'))
    const other = await get('?rendition=aac-96&counted-by=somebody')
    expect(other.headers.get('etag')).not.toBe(response.headers.get('etag'))
    expect((await bytesOf(other)).equals(file)).toBe(false)
    await named.body?.cancel()
  })

  test.each<[string, (size: number) => [number, number]]>([
    ['bytes=0-0', () => [0, 1]],
    ['bytes=890-910', () => [890, 911]],
    ['bytes=300899-900000', () => [300_899, 900_001]],
    ['bytes=7000000-', (size) => [7_000_000, size]],
    ['bytes=-5', (size) => [size - 5, size]],
    ['bytes=0-99999999', (size) => [0, size]],
  ])('gives %s, reading no other block', async (range, ends) => {
    const [from, to] = ends(file.length)
    const response = await get('', { headers: { range } })
    expect([response.status, response.headers.get('content-range')]).toEqual([
      206,
      `bytes ${from}-${to - 1}/${file.length}`,
    ])
    expect(response.headers.get('content-length')).toBe(String(to - from))
    expect((await bytesOf(response)).equals(file.subarray(from, to))).toBe(true)
    const blocks = reads.filter((cid) => cids.includes(cid))
    expect(blocks.length).toBeLessThanOrEqual(Math.ceil((to - from) / 300_000) + 2)
  })

  test('has no byte past its end', async () => {
    const response = await get('', { headers: { range: `bytes=${file.length}-` } })
    expect(response.headers.get('content-range')).toBe(`bytes */${file.length}`)
    expect(await problemOf(response)).toEqual([416, 'range-not-satisfiable', null])
  })

  test('is not read for HEAD, and not sent to whom has it', async () => {
    const head = await get('', { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(file.length)])
    const etag = head.headers.get('etag') ?? ''
    expect((await get('', { headers: { 'if-none-match': etag } })).status).toBe(304)
    expect(reads.filter((cid) => cids.includes(cid))).toEqual([])
    const range = 'bytes=5-9'
    const same = await get('', { headers: { range, 'if-range': etag } })
    expect([same.status, (await bytesOf(same)).equals(file.subarray(5, 10))]).toEqual([206, true])
    const changed = await get('', { headers: { range, 'if-range': '"of another file"' } })
    expect([changed.status, (await bytesOf(changed)).length]).toEqual([200, file.length])
  })

  test('is saved under the name that a link gives it, as a sound', async () => {
    const dispositionOf = async (query: string) =>
      (await get(query, { method: 'HEAD' })).headers.get('content-disposition')
    expect(await dispositionOf(`?filename=${encodeURIComponent('Jóga.M4A')}`)).toBe(
      `inline; filename="J_ga.M4A"; filename*=UTF-8''J%C3%B3ga.M4A`,
    )
    expect(await dispositionOf('?download=true')).toBe('attachment; filename="aac-160.m4a"')
    expect(await dispositionOf(`?download=true&filename=${encodeURIComponent('a/b"\r\nc.exe')}`)).toBe(
      `attachment; filename="a_b___c.exe.m4a"; filename*=UTF-8''a_b%22__c.exe.m4a`,
    )
    expect(await dispositionOf(`?filename=${'x'.repeat(300)}`)).toBe(
      `inline; filename="${'x'.repeat(190)}.m4a"`,
    )
  })
})

describe('what cannot be given', () => {
  test('is said before the answer begins, whichever block is missing', async () => {
    trouble.set(cidAt(segments), () => new BlockNotFound(cidAt(segments)))
    for (const method of ['GET', 'HEAD']) expect((await get('', { method })).status).toBe(404)
    expect(await problemOf(await get())).toEqual([404, 'not-held-here', null])
    const before = await get('', { headers: { range: 'bytes=0-2000000' } })
    expect([before.status, (await bytesOf(before)).length]).toEqual([206, 2_000_001])
  })

  test('is said when the first block turns out to be damaged, or the store is away', async () => {
    trouble.set(cidAt(0), () => Object.assign(new BlockNotFound(cidAt(0)), { message: 'damaged' }))
    expect(await problemOf(await get())).toEqual([404, 'not-held-here', null])
    trouble.set(cidAt(0), () => new KuboUnavailable('http://kubo.example', 'timed out'))
    expect(await problemOf(await get())).toEqual([503, 'blocks-away', null])
  })

  test('breaks off where a later block turns out to be damaged: nobody takes the part for the whole', async () => {
    trouble.set(cidAt(9), () => Object.assign(new BlockNotFound(cidAt(9)), { message: 'damaged' }))
    const response = await get()
    expect([response.status, response.headers.get('content-length')]).toEqual([200, String(file.length)])
    await expect(response.arrayBuffer()).rejects.toThrow()
  })

  test('is refused when the track, or a block of what is asked for, was taken down', async () => {
    taken.add(cidAt(3))
    expect(await problemOf(await get())).toEqual([410, 'taken-down', null])
    const others = await get('', { headers: { range: 'bytes=0-9' } })
    expect(others.status).toBe(206)
    taken.add(track.manifest)
    for (const query of ['', '?rendition=aac-96']) {
      expect(await problemOf(await get(query))).toEqual([410, 'taken-down', null])
    }
  })

  test('is named: a rendition that there is not, a manifest that is none, and one that is elsewhere', async () => {
    expect(await problemOf(await get('?rendition=flac'))).toEqual([404, 'unknown-rendition', null])
    const elsewhere = (await makeTestTrack({ segments: 1 })).manifest
    for (const [manifest, answer] of [
      ['nothing', [400, 'malformed-cid', null]],
      [cidAt(0), [400, 'not-a-track', null]],
      [elsewhere, [404, 'not-held-here', null]],
    ] as const) {
      expect(await problemOf(await fetch(urlOf('', manifest)))).toEqual(answer)
    }
    expect(await problemOf(await get('?filename='))).toEqual([400, 'invalid-request', null])
  })
})

describe('a caller', () => {
  const readOfFile = () => reads.filter((cid) => cids.includes(cid))

  test('who takes nothing has one block waiting and the next one read, and no more', async () => {
    const asked = Object.assign(new IncomingMessage(new Socket()), {
      method: 'GET',
      url: `/audio/${track.manifest}`,
    })
    // Without a connection nothing that is written ever leaves.
    const answer = new ServerResponse(asked)
    application(asked, answer)
    await eventually(readOfFile, (blocks) => blocks.length >= 3)
    for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate)
    expect(readOfFile().length).toBeLessThanOrEqual(4)
    answer.destroy()
  })

  test('who hangs up has nothing more read for him', async () => {
    const aborted = Promise.withResolvers<void>()
    waits.set(cidAt(5), (signal) => {
      signal?.addEventListener('abort', () => aborted.resolve())
      return aborted.promise
    })
    const hangUp = new AbortController()
    const response = await get('', { signal: hangUp.signal })
    const body = response.arrayBuffer().catch((error: unknown) => error)
    await eventually(readOfFile, (blocks) => blocks.includes(cidAt(5)))
    hangUp.abort()
    await aborted.promise
    expect(await body).toMatchObject({ name: 'AbortError' })
    expect(readOfFile().at(-1)).toBe(cidAt(5))
  })
})
