import { lintPlaylist } from '@hexachord/protocol/hls-lint'
import type { Fault } from '@hexachord/protocol/retrieval'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, describe, expect, test } from '@jest/globals'
import { connectionTo, type Gateway, serve, serveBlocks, subject, trackOf, until } from '../fixtures/index.ts'
import { type OpenedTrack, openTrack, playSegments, RenditionUnknown, renditionFor } from './index.ts'

const { track: loaded, blocks } = await exampleTrack()

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function holder(
  ...args: Parameters<typeof serveBlocks> extends [unknown, ...infer Rest] ? Rest : never
) {
  const gateway = await serveBlocks(blocks, ...args)
  closing.push(gateway.close)
  return gateway
}

async function gone(): Promise<string> {
  const server = await serve(() => undefined)
  await server.close()
  return server.origin
}

const trackAt = (...gateways: (Gateway | string)[]) =>
  trackOf(
    subject,
    loaded,
    gateways.map((gateway) => (typeof gateway === 'string' ? gateway : gateway.origin)),
  )

/** What a rendition's file would be. */
function fileOf(renditionIndex: number): Buffer {
  const rendition = loaded.renditions[renditionIndex]
  const cids = [rendition?.init.data['/'], ...(rendition?.segments.map(([, , link]) => link['/']) ?? [])]
  return Buffer.concat(cids.map((cid) => blocks.get(cid ?? '') ?? Buffer.alloc(0)))
}

async function play(opened: OpenedTrack, index = renditionFor(opened)) {
  const parts: Uint8Array[] = []
  const sources: string[] = []
  for await (const part of playSegments(opened, index, { prefetch: 1 })) {
    parts.push('init' in part ? part.init : part.bytes)
    if ('source' in part) sources.push(part.source)
  }
  return { file: Buffer.concat(parts), sources }
}

describe('opening a track', () => {
  test('reads its manifest and renditions from whoever has them', async () => {
    const opened = await openTrack(connectionTo(), trackAt(await gone(), await holder()))
    expect(opened.loaded).toEqual(loaded)
  })

  test('builds playlists that are valid', async () => {
    const opened = await openTrack(connectionTo(), trackAt(await holder()))
    const master = opened.master((index, name) => `${index}-${name}.m3u8`)
    expect(lintPlaylist(master)).toEqual([])
    expect(master.match(/^[^#].*$/gm)).toEqual(['2-aac-160.m3u8', '1-aac-320.m3u8', '0-flac.m3u8'])
    expect(lintPlaylist(opened.media(0, (cid, filename) => `${cid}/${filename}`))).toEqual([])
  })

  test('takes endpoints as operators write them', async () => {
    const { origin } = await holder()
    await expect(openTrack(connectionTo(), trackAt(`${origin}/`))).resolves.toMatchObject({ loaded })
  })

  test('says of each holder why it could not', async () => {
    const away = await gone()
    const empty = await serveBlocks(new Map())
    closing.push(empty.close)
    await expect(openTrack(connectionTo(), trackAt(away, empty))).rejects.toMatchObject({
      name: 'RetrievalFailed',
      faults: [
        { source: away, kind: 'unreachable' },
        { source: empty.origin, kind: 'missing' },
      ],
    })
  })

  test('asks creator nodes and gateways only when the holders fail', async () => {
    const [creator, gateway] = [await holder(), await holder()]
    const connection = connectionTo({ creators: [creator.origin], gateways: [gateway.origin] })
    const held = await holder()
    await play(await openTrack(connection, trackAt(held)))
    expect([creator.requests, gateway.requests]).toEqual([[], []])
    await play(await openTrack(connection, trackAt(await gone())))
    expect(creator.requests.length).toBeGreaterThan(0)
    expect(gateway.requests).toEqual([])
  })
})

describe('a rendition', () => {
  test('is the one where players begin, or the named one', async () => {
    const opened = await openTrack(connectionTo(), trackAt(await holder()))
    expect(renditionFor(opened)).toBe(2)
    expect(renditionFor(opened, 'flac')).toBe(0)
    expect(() => renditionFor(opened, 'mp3')).toThrow(RenditionUnknown)
    expect(() => renditionFor(opened, 'mp3')).toThrow("no rendition 'mp3', only flac, aac-320, aac-160")
  })
})

describe('playing', () => {
  test('gives init and segments in order, with their times', async () => {
    const gateway = await holder()
    const opened = await openTrack(connectionTo(), trackAt(gateway))
    const parts = []
    for await (const part of playSegments(opened, 0)) parts.push(part)
    expect(parts[0]).toEqual({ init: blocks.get(loaded.renditions[0]?.init.data['/'] ?? '') })
    expect(parts.slice(1)).toMatchObject([
      { index: 0, count: 4, durationMs: 6014, source: gateway.origin },
      { index: 1, durationMs: 5991 },
      { index: 2, durationMs: 6014 },
      { index: 3, durationMs: 1300 },
    ])
  })

  test.each([
    ['lies', 'lied', (_n: number) => lie],
    ['has lost it', 'missing', (_n: number) => lose],
    ['breaks off', 'unreachable', (_n: number) => breakOff],
    ['is broken', 'refused', (_n: number) => fail],
    // Its first blocks are good: it dies while the track plays.
    ['dies half-way', 'unreachable', (n: number) => (n > 5 ? die : undefined)],
    ['begins to lie half-way', 'lied', (n: number) => (n > 5 ? lie : undefined)],
  ])('has no gap and no wrong byte when a holder %s', async (_, kind, misbehave) => {
    const bad = await holder(misbehave)
    const good = await holder()
    const faults: Fault[] = []
    // The bad one is asked first as long as it may be asked: the other is no holder, but a last resort.
    const opened = await openTrack(connectionTo({ creators: [good.origin] }), trackAt(bad), {
      onFault: (fault) => faults.push(fault),
    })
    for (const index of [0, 1, 2]) expect((await play(opened, index)).file).toEqual(fileOf(index))
    expect(faults).toContainEqual(expect.objectContaining({ source: bad.origin, kind }))
    const { state } = opened.quality().find(({ source }) => source === bad.origin) ?? {}
    expect(state === 'dropped').toBe(kind === 'lied')
  })

  test('does not wait for a holder that stalls', async () => {
    const stalling = await holder((n) => (n > 4 ? () => undefined : undefined))
    const good = await holder()
    const opened = await openTrack(connectionTo(), trackAt(stalling, good))
    const startedAt = performance.now()
    for (const index of [0, 1, 2]) expect((await play(opened, index)).file).toEqual(fileOf(index))
    // The second holder is asked after a second, not after the 20 s that one block may take.
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })

  test('ends with an error when nobody has the rest', async () => {
    const lost = loaded.renditions[0]?.segments[2]?.[2]['/'] ?? ''
    const rest = new Map([...blocks].filter(([cid]) => cid !== lost))
    const gateway = await serveBlocks(rest)
    closing.push(gateway.close)
    const opened = await openTrack(connectionTo(), trackAt(gateway))
    const played: number[] = []
    const playing = (async () => {
      for await (const part of playSegments(opened, 0)) if ('index' in part) played.push(part.index)
    })()
    await expect(playing).rejects.toMatchObject({ name: 'RetrievalFailed', cid: lost })
    expect(played).toEqual([0, 1])
  })

  test('calls off what it has asked for when the listener leaves', async () => {
    const [first] = loaded.renditions[0]?.segments ?? []
    let waiting = 0
    const gateway = await holder(() => (request, response, block) => {
      const isWanted = !loaded.renditions[0]?.segments.some(([, , link]) => request.url?.includes(link['/']))
      if (isWanted || request.url?.includes(first?.[2]['/'] ?? '-')) return response.end(block)
      waiting += 1
      return response.on('close', () => {
        waiting -= 1
      })
    })
    const opened = await openTrack(connectionTo(), trackAt(gateway))
    for await (const part of playSegments(opened, 0, { prefetch: 2 })) {
      if ('index' in part) await until('the next two are asked for', () => waiting === 2)
      if ('index' in part) break
    }
    await until('nothing is asked for any more', () => waiting === 0)

    const stop = new AbortController()
    const playing = playSegments(opened, 0, { prefetch: 2, signal: stop.signal })
    await playing.next()
    await playing.next()
    const skipped = playing.next()
    stop.abort(new Error('skipped'))
    await expect(skipped).rejects.toThrow('skipped')
    await until('nothing is asked for any more', () => waiting === 0)
  })
})

type Misbehaviour = NonNullable<ReturnType<NonNullable<Parameters<typeof serveBlocks>[1]>>>

const lie: Misbehaviour = (_request, response, block) => response.end(block.toReversed())
const lose: Misbehaviour = (_request, response) => response.writeHead(404).end()
const fail: Misbehaviour = (_request, response) => response.writeHead(500).end()
const die: Misbehaviour = (request) => request.socket.destroy()
const breakOff: Misbehaviour = (request, response, block) => {
  response.writeHead(200, { 'content-length': block.length })
  response.write(block.subarray(0, block.length / 2), () => request.socket.destroy())
}
