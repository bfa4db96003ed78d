import { variantOrder } from '@hexachord/protocol/playlists'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import type {
  HlsConfig,
  Loader,
  LoaderCallbacks,
  LoaderConfiguration,
  LoaderContext,
  LoaderStats,
} from 'hls.js'
import { PaymentNeeded } from '../paying/index.ts'
import type { OpenedTrack } from '../playing/index.ts'

/** A name that never resolves (RFC 2606): all of it is answered from the opened track. */
const origin = 'https://track.hexachord.invalid'

/**
 * Settings with which hls.js starts several times faster than with its own. Its test of the bandwidth would fetch a
 * segment only to throw it away; with this estimate it begins with the variant that stands first in our master
 * playlists, which measures, too.
 */
export const quickStart = {
  enableWorker: false,
  startFragPrefetch: true,
  testBandwidth: false,
  abrEwmaDefaultEstimate: 240_000,
} satisfies Partial<HlsConfig>

/** What a page gives to hls.js: `new Hls(config)`, attach the media element first, then `loadSource(url)` on
 * `MEDIA_ATTACHED`: the other way round hls.js loses a tenth of a second. */
export type HlsSource = { readonly url: string; readonly config: Partial<HlsConfig> }

/** Plays an opened track in hls.js: playlists are built on the fly, every block comes from the track's holders
 * and is checked, and the next holder is asked below the player, which never notices.
 * @param opened also one that is still being opened, so that hls.js gets the media element ready meanwhile; where
 * that fails, hls.js reports a fatal error with the reason */
export function hlsSource(opened: OpenedTrack | Promise<OpenedTrack>): HlsSource {
  const blocks = createTrackBlocks(Promise.resolve(opened))
  class TrackLoader extends BlockLoader {
    constructor(_config: HlsConfig) {
      super(blocks)
    }
  }
  return {
    url: `${origin}/master.m3u8`,
    config: { ...quickStart, loader: TrackLoader },
  }
}

type Block = {
  readonly bytes: Uint8Array
  /** When it was asked for, where that was before hls.js did. */
  readonly askedAtMs?: number
}

type TrackBlocks = {
  readonly opened: Promise<OpenedTrack>
  /** Fetches what a player of a rendition asks for first, the first time. */
  fetchStart(opened: OpenedTrack, renditionIndex: number): void
  block(opened: OpenedTrack, cid: string, signal: AbortSignal): Promise<Block>
}

function createTrackBlocks(opened: Promise<OpenedTrack>): TrackBlocks {
  const ahead = new Map<string, Promise<Block>>()
  let started = false
  // hls.js hears of a failure when it asks for the first playlist.
  opened.catch(() => undefined)
  return {
    opened,
    fetchStart({ loaded, block }, renditionIndex) {
      // Only where sound begins: hls.js itself fetches ahead from then on.
      if (started) return
      started = true
      const rendition = loaded.renditions[renditionIndex]
      const [first] = rendition?.segments ?? []
      for (const link of [rendition?.init.data, first?.[2]]) {
        if (link === undefined) continue
        const askedAtMs = performance.now()
        const fetched = block(link['/']).then(({ bytes }) => ({ bytes, askedAtMs }))
        fetched.catch(() => undefined)
        ahead.set(link['/'], fetched)
      }
    },
    async block({ block }, cid, signal) {
      const fetched = ahead.get(cid)
      ahead.delete(cid)
      // One that failed is asked for anew: its holders may be back.
      const early = await fetched?.catch(() => undefined)
      signal.throwIfAborted()
      return early ?? block(cid, signal)
    },
  }
}

/** hls.js makes one loader per request. */
class BlockLoader implements Loader<LoaderContext> {
  context: LoaderContext | null = null
  readonly stats: LoaderStats = freshStats()
  readonly #blocks: TrackBlocks
  readonly #abort = new AbortController()
  #timer: ReturnType<typeof setTimeout> | undefined
  #callbacks: LoaderCallbacks<LoaderContext> | undefined

  constructor(blocks: TrackBlocks) {
    this.#blocks = blocks
  }

  destroy(): void {
    this.#end()
    this.context = null
  }

  abort(): void {
    const callbacks = this.#end()
    if (callbacks === undefined || this.context === null) return
    this.stats.aborted = true
    callbacks.onAbort?.(this.stats, this.context, null)
  }

  load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
    const { stats } = this
    this.context = context
    this.#callbacks = callbacks
    stats.loading.start = performance.now()
    // A block comes as a whole, with all its bytes checked. Its first byte counts as there from the start, so that
    // hls.js measures its bandwidth over the whole time and does not take all of it for latency.
    stats.loading.first = stats.loading.start
    this.#timer = setTimeout(
      () => this.#end()?.onTimeout(stats, context, null),
      config.loadPolicy.maxLoadTimeMs,
    )
    this.#answer(context).then(
      (data) => {
        stats.loaded = typeof data === 'string' ? data.length : data.byteLength
        stats.total = stats.loaded
        stats.loading.end = performance.now()
        this.#end()?.onSuccess({ url: context.url, data, code: 200 }, stats, context, null)
      },
      (error: unknown) => {
        const text = error instanceof Error ? error.message : String(error)
        // hls.js tries again for 503, when a holder may be back, and not for 404 or 402.
        const code = error instanceof RetrievalFailed ? 503 : error instanceof PaymentNeeded ? 402 : 404
        this.#end()?.onError({ code, text }, context, null, stats)
      },
    )
  }

  /** @returns the callbacks, to the first who ends the request */
  #end(): LoaderCallbacks<LoaderContext> | undefined {
    const callbacks = this.#callbacks
    this.#callbacks = undefined
    clearTimeout(this.#timer)
    this.#abort.abort()
    return callbacks
  }

  async #answer({ url, rangeStart, rangeEnd }: LoaderContext): Promise<string | ArrayBuffer> {
    const path = new URL(url).pathname
    const opened = await this.#blocks.opened
    if (path === '/master.m3u8') {
      const [first = 0] = variantOrder(opened.loaded)
      this.#blocks.fetchStart(opened, first)
      return opened.master((index) => `${origin}/${index}.m3u8`)
    }
    const [, media] = /^\/(\d+)\.m3u8$/.exec(path) ?? []
    if (media !== undefined) {
      this.#blocks.fetchStart(opened, Number(media))
      return opened.media(Number(media), (cid) => `${origin}/ipfs/${cid}`)
    }
    const cid = path.slice('/ipfs/'.length)
    const { bytes, askedAtMs } = await this.#blocks.block(opened, cid, this.#abort.signal)
    // Else hls.js would take the connection for quicker than it is.
    if (askedAtMs !== undefined) this.stats.loading.start = this.stats.loading.first = askedAtMs
    const part = rangeEnd ? bytes.subarray(rangeStart ?? 0, rangeEnd) : bytes
    // A copy of its own: hls.js hands the buffer over to the media source.
    return new Uint8Array(part).buffer
  }
}

function freshStats(): LoaderStats {
  return {
    aborted: false,
    loaded: 0,
    retry: 0,
    total: 0,
    chunkCount: 0,
    bwEstimate: 0,
    loading: { start: 0, first: 0, end: 0 },
    parsing: { start: 0, end: 0 },
    buffering: { start: 0, first: 0, end: 0 },
  }
}
