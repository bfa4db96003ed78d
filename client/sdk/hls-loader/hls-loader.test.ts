import { lintPlaylist } from '@hexachord/protocol/hls-lint'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { describe, expect, test } from '@jest/globals'
import type { HlsConfig, Loader, LoaderCallbacks, LoaderConfiguration, LoaderContext } from 'hls.js'
import { connectionTo, subject, trackOf } from '../fixtures/index.ts'
import { type OpenedTrack, openTrack } from '../playing/index.ts'
import { type HlsSource, hlsSource } from './index.ts'

const { track: loaded, blocks } = await exampleTrack()

/** A network in memory. */
const opened = await openTrack(
  connectionTo({
    http: async (url) => {
      const block = blocks.get(/ipfs\/(\w+)/.exec(String(url))?.[1] ?? '')
      return block ? new Response(new Uint8Array(block)) : new Response(null, { status: 404 })
    },
  }),
  trackOf(subject, loaded, ['http://holder']),
)

type Outcome = { readonly kind: string; readonly args: readonly unknown[] }

/** Loads as hls.js does: a loader of its own for each request. */
function load(
  url: string,
  {
    track = opened,
    range = {},
    timeoutMs = 10_000,
    source = hlsSource(track),
  }: {
    track?: OpenedTrack | Promise<OpenedTrack>
    range?: object
    timeoutMs?: number
    source?: HlsSource
  } = {},
) {
  const { config } = source
  const TrackLoader = config.loader as new (config: HlsConfig) => Loader<LoaderContext>
  const loader = new TrackLoader({} as HlsConfig)
  const calls: Outcome[] = []
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const hear =
    (kind: string) =>
    (...args: unknown[]) => {
      calls.push({ kind, args })
      resolve({ kind, args })
    }
  const callbacks = {
    onSuccess: hear('success'),
    onError: hear('error'),
    onTimeout: hear('timeout'),
    onAbort: hear('abort'),
  } as unknown as LoaderCallbacks<LoaderContext>
  const context = { url, responseType: 'arraybuffer', type: 'media-fragment', ...range } as LoaderContext
  const policy = { maxTimeToFirstByteMs: timeoutMs, maxLoadTimeMs: timeoutMs }
  loader.load(context, { loadPolicy: policy } as LoaderConfiguration, callbacks)
  return { loader, calls, outcome: promise }
}

async function textOf(url: string): Promise<string> {
  const { kind, args } = await load(url).outcome
  expect(kind).toBe('success')
  return (args[0] as { data: string }).data
}

const { url: master } = hlsSource(opened)
const init = loaded.renditions[0]?.init.data['/'] ?? ''
const initUrl = new URL(`/ipfs/${init}`, master).href

describe('the loader for hls.js', () => {
  test('gives playlists that lead to each other, without a network', async () => {
    const playlist = await textOf(master)
    expect(lintPlaylist(playlist)).toEqual([])
    const uris = playlist.match(/^[^#].*$/gm) ?? []
    expect(uris).toHaveLength(3)
    for (const uri of uris) {
      const media = await textOf(uri)
      expect(lintPlaylist(media)).toEqual([])
      expect(media.match(/^[^#].*$/gm)).toHaveLength(4)
    }
  })

  test('gives blocks, in a buffer of their own, with times that hls.js can reckon with', async () => {
    const { loader, outcome } = load(initUrl)
    const { kind, args } = await outcome
    expect(kind).toBe('success')
    const [response, stats, context] = args as [{ data: ArrayBuffer; url: string }, Stats, LoaderContext]
    expect(new Uint8Array(response.data)).toEqual(blocks.get(init))
    expect(response).toMatchObject({ url: initUrl, code: 200 })
    expect(stats).toBe(loader.stats)
    expect(stats).toMatchObject({ loaded: response.data.byteLength, total: response.data.byteLength })
    expect(stats.loading.start).toBeGreaterThan(0)
    // All of the time counts for the bandwidth: as latency it would make a slow line look fast.
    expect(stats.loading.first).toBe(stats.loading.start)
    expect(stats.loading.end).toBeGreaterThanOrEqual(stats.loading.first)
    expect(context.url).toBe(initUrl)
  })

  test('gives a part of a block', async () => {
    const { args } = await load(initUrl, { range: { rangeStart: 10, rangeEnd: 14 } }).outcome
    const { data } = args[0] as { data: ArrayBuffer }
    expect(new Uint8Array(data)).toEqual(blocks.get(init)?.subarray(10, 14))
    const whole = await load(initUrl, { range: { rangeStart: 0, rangeEnd: 0 } }).outcome
    expect((whole.args[0] as { data: ArrayBuffer }).data.byteLength).toBe(blocks.get(init)?.length)
  })

  test('says when no holder gave it, so that hls.js tries again', async () => {
    const track = { ...opened, block: () => Promise.reject(new RetrievalFailed(init, [])) }
    const { kind, args } = await load(initUrl, { track }).outcome
    expect([kind, args[0]]).toEqual(['error', { code: 503, text: expect.stringContaining('no source gave') }])
  })

  test.each(['/ipfs/nonsense', '/9.m3u8'])('says that there is no %s, for good', async (path) => {
    const { kind, args } = await load(new URL(path, master).href).outcome
    expect([kind, args[0]]).toEqual(['error', expect.objectContaining({ code: 404 })])
  })

  test('tells an abort once, stops the request, and nothing after', async () => {
    const { track, asked, aborted, release } = waitingTrack()
    const { loader, calls } = load(initUrl, { track })
    await asked
    loader.abort()
    loader.abort()
    expect(loader.stats.aborted).toBe(true)
    await aborted
    release()
    loader.destroy()
    await new Promise(setImmediate)
    expect(calls.map(({ kind }) => kind)).toEqual(['abort'])
  })

  test('is silent once it is destroyed', async () => {
    const { track, asked, aborted, release } = waitingTrack()
    const { loader, calls } = load(initUrl, { track })
    await asked
    loader.destroy()
    await aborted
    release()
    await new Promise(setImmediate)
    expect(calls).toEqual([])
  })

  test('tells a time-out, and stops the request', async () => {
    const { track, aborted } = waitingTrack()
    const { calls, outcome } = load(initUrl, { track, timeoutMs: 20 })
    await expect(outcome).resolves.toMatchObject({ kind: 'timeout' })
    await aborted
    expect(calls).toHaveLength(1)
  })

  test('waits for a track that is still being opened', async () => {
    const { promise, resolve } = Promise.withResolvers<OpenedTrack>()
    const { outcome, calls } = load(master, { track: promise })
    await new Promise(setImmediate)
    expect(calls).toEqual([])
    resolve(opened)
    expect(await outcome).toMatchObject({ kind: 'success' })
  })

  test('says why a track could not be opened', async () => {
    const { kind, args } = await load(master, { track: Promise.reject(new Error('it was deleted')) }).outcome
    expect([kind, args[0]]).toEqual(['error', { code: 404, text: 'it was deleted' }])
  })

  test('asks nobody for what was given up while the track was being opened', async () => {
    const { promise, resolve } = Promise.withResolvers<OpenedTrack>()
    const asked: string[] = []
    const { loader } = load(initUrl, { track: promise })
    loader.abort()
    resolve({ ...opened, block: (cid) => opened.block(asked.push(cid) ? cid : '') })
    await new Promise(setImmediate)
    expect(asked).toEqual([])
  })

  describe('given the playlist of a rendition', () => {
    const segment = loaded.renditions[0]?.segments[0]?.[2]['/'] ?? ''

    test('fetches where sound begins before it is asked, once, and reckons from then', async () => {
      const asked: string[] = []
      const source = hlsSource({
        ...opened,
        block(cid, signal) {
          asked.push(cid)
          return opened.block(cid, signal)
        },
      })
      await load(new URL('/0.m3u8', master).href, { source }).outcome
      await load(new URL('/1.m3u8', master).href, { source }).outcome
      expect(asked).toEqual([init, segment])
      const beforeMs = performance.now()
      const { args } = await load(new URL(`/ipfs/${segment}`, master).href, { source }).outcome
      const [response, stats] = args as [{ data: ArrayBuffer }, Stats]
      expect(new Uint8Array(response.data)).toEqual(blocks.get(segment))
      expect(stats.loading.start).toBeLessThan(beforeMs)
      expect(asked).toHaveLength(2)
    })

    test('begins with the rendition that stands first when it is asked for the list of all', async () => {
      const asked: string[] = []
      const source = hlsSource({ ...opened, block: (cid) => opened.block(asked.push(cid) ? cid : '') })
      const { args } = await load(master, { source }).outcome
      const [uri] = (args[0] as { data: string }).data.match(/^[^#].*$/gm) ?? []
      const first = loaded.renditions[Number(/(\d+)\.m3u8$/.exec(uri ?? '')?.[1])]
      expect(asked).toEqual([first?.init.data['/'], first?.segments[0]?.[2]['/']])
      await load(uri ?? '', { source }).outcome
      expect(asked).toHaveLength(2)
    })

    test('asks again for what could not be had before', async () => {
      let failures = 2
      const source = hlsSource({
        ...opened,
        block: (cid, signal) =>
          failures-- > 0 ? Promise.reject(new RetrievalFailed(cid, [])) : opened.block(cid, signal),
      })
      await load(new URL('/0.m3u8', master).href, { source }).outcome
      expect(await load(initUrl, { source }).outcome).toMatchObject({ kind: 'success' })
    })
  })

  test('an abort after the end changes nothing', async () => {
    const { loader, calls, outcome } = load(initUrl)
    await outcome
    loader.abort()
    expect(calls.map(({ kind }) => kind)).toEqual(['success'])
    expect(loader.stats.aborted).toBe(false)
  })
})

type Stats = { loaded: number; total: number; loading: { start: number; first: number; end: number } }

/** A track whose blocks come only when they are released. */
function waitingTrack(): {
  track: OpenedTrack
  asked: Promise<void>
  aborted: Promise<void>
  release: () => void
} {
  const asked = Promise.withResolvers<void>()
  const released = Promise.withResolvers<{ bytes: Uint8Array; source: string }>()
  const aborted = Promise.withResolvers<void>()
  const track: OpenedTrack = {
    ...opened,
    block: (_cid, signal) => {
      signal?.addEventListener('abort', () => aborted.resolve())
      asked.resolve()
      return released.promise
    },
  }
  return {
    track,
    asked: asked.promise,
    aborted: aborted.promise,
    release: () => released.resolve({ bytes: new Uint8Array(1), source: 'http://holder' }),
  }
}
