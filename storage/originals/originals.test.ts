import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp, finishApp, type Listening, listen } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { linkTo, maximumBlockBytes } from '@hexachord/protocol/cids'
import {
  decodeManifest,
  encodeManifest,
  encodeOriginalList,
  type OriginalList,
} from '@hexachord/protocol/manifests'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { eventually } from '../ipfs/fixtures/eventually.ts'
import { createEmbeddedIpfs, type IpfsNode } from '../ipfs/index.ts'
import { makeTestTrack, type TestTrack } from '../tracks/fixtures/index.ts'
import { inspectTrack } from '../tracks/index.ts'
import { originalRoutes } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const file = randomBytes(2 * maximumBlockBytes + 777)

let directory: string
let ipfs: IpfsNode
let server: Listening
let plain: TestTrack
let manifest: string
/** What the gate was told of. */
let sent = 0
let ended = 0
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hexachord-originals-'))
  ipfs = await createEmbeddedIpfs({ directory, bitswap: false, logger })
  plain = await makeTestTrack()
  for (const { cid, bytes } of plain.blocks) await ipfs.putVerified(cid, bytes)
  manifest = await withOriginal('Söng "1".flac')
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  const meter = () => ({
    async next(bytes: number) {
      sent += bytes
    },
    end() {
      ended += 1
    },
  })
  app.use(originalRoutes({ ipfs, gate: { requireFree: () => undefined, meter } }))
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.close()
  await ipfs.close()
  await rm(directory, { recursive: true })
})

/** The plain track with the file as its original. @returns its manifest */
async function withOriginal(filename: string): Promise<string> {
  const blocks: OriginalList['blocks'] = []
  for (let place = 0; place < file.length; place += maximumBlockBytes) {
    const bytes = file.subarray(place, place + maximumBlockBytes)
    blocks.push([bytes.length, linkTo(await ipfs.put(bytes, 'raw'))])
  }
  const list = linkTo(await ipfs.put(encodeOriginalList({ v: 1, kind: 'original', blocks }), 'dag-json'))
  const sha256 = `0x${createHash('sha256').update(file).digest('hex')}` as const
  const original = { filename, type: 'audio/flac', byteLength: file.length, sha256, list }
  const before = decodeManifest(await ipfs.get(plain.manifest))
  return ipfs.put(encodeManifest({ ...before, original }), 'dag-json')
}

const get = (cid = manifest, init: RequestInit = {}) => fetch(`${server.origin}/originals/${cid}`, init)
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())

describe('an original', () => {
  test('comes as it was, to be saved under its name', async () => {
    const response = await get()
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      ...{ 'content-type': 'audio/flac', 'content-length': String(file.length), 'accept-ranges': 'bytes' },
      'content-disposition': `attachment; filename="S_ng _1_.flac"; filename*=UTF-8''S%C3%B6ng%20%221%22.flac`,
      'x-content-type-options': 'nosniff',
      'cache-control': 'public, max-age=29030400, immutable',
    })
    expect((await bytesOf(response)).equals(file)).toBe(true)
  })

  test.each<[string, number, number]>([
    ['bytes=0-0', 0, 1],
    ['bytes=1048570-1048580', 1_048_570, 1_048_581],
    ['bytes=2097152-', 2_097_152, file.length],
    ['bytes=-5', file.length - 5, file.length],
  ])('goes on where a download was broken: %s', async (range, from, to) => {
    sent = 0
    ended = 0
    const response = await get(manifest, { headers: { range } })
    expect([response.status, response.headers.get('content-range')]).toEqual([
      206,
      `bytes ${from}-${to - 1}/${file.length}`,
    ])
    expect((await bytesOf(response)).equals(file.subarray(from, to))).toBe(true)
    expect(sent).toBe(to - from)
    await eventually(
      () => ended,
      (count) => count === 1,
    )
  })

  test('has no byte past its end', async () => {
    const response = await get(manifest, { headers: { range: `bytes=${file.length}-` } })
    expect([response.status, response.headers.get('content-range')]).toEqual([416, `bytes */${file.length}`])
  })

  test('is not sent to whom has it, and its length is told alone', async () => {
    sent = 0
    ended = 0
    const head = await get(manifest, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(file.length)])
    const headers = { 'if-none-match': head.headers.get('etag') ?? '' }
    expect((await get(manifest, { headers })).status).toBe(304)
    expect([sent, ended]).toEqual([0, 0])
  })

  test('counts in the storage root of its track', async () => {
    const held = await inspectTrack(ipfs, manifest)
    const [last] = held.blocks.slice(-1)
    expect(last?.byteLength).toBe(777)
    expect(held.byteLength).toBeGreaterThan(
      (await inspectTrack(ipfs, plain.manifest)).byteLength + file.length,
    )
  })

  test('is refused where there is none, where the track is not held, and for what is no track', async () => {
    const unknown = 'baguqeerasfzvfo2vqbbqnw2bjtnbcdtkkhjmzkbyrmmihw6sqebl4adzaxnq'
    const problems = [plain.manifest, unknown, 'nothing', plain.blocks[0]?.cid ?? '']
    const answers = await Promise.all(
      problems.map(async (cid) => {
        const { status, type } = (await (await get(cid)).json()) as { status: number; type: string }
        return [status, type.split(':').at(-1)]
      }),
    )
    expect(answers).toEqual([
      [404, 'no-original'],
      [404, 'not-held-here'],
      [400, 'malformed-cid'],
      [400, 'not-a-track'],
    ])
  })
})
