import { parseCid, verifyBlock } from '../cids/index.ts'
import { AttemptFailed, attempt, type Download, downloadBy, type Fetch, type Verify } from './attempt.ts'
import { type Fault, RetrievalFailed, type Source } from './source.ts'
import { createStandings, type Quality } from './standings.ts'

export type RetrieverOptions = {
  readonly fetch: Fetch
  /** How a block comes from a URL. @default by `fetch` */
  readonly download?: Download
  /** Milliseconds of a clock that never goes back, such as `performance.now`. */
  readonly now: () => number
  /** Who may hold what is asked for, asked anew for each block. */
  readonly sources: () => readonly Source[]
  /** @default verifyBlock, by WebCrypto, which browsers have, too */
  readonly verify?: Verify
  /** Longest that one source may take for one block, in ms. @default 20_000 (1 MiB at 0.5 Mbit/s) */
  readonly timeoutMs?: number
  /** A further source is asked when the first has not answered after the 95th percentile of recent
   * latencies, and after so many ms at the latest. @default 1_000 */
  readonly hedgeAfterMs?: number
}

export type RetrieveOptions = {
  readonly signal?: AbortSignal
  /** Hears of each source that failed, also when another one then gave the block. */
  readonly onFault?: (fault: Fault) => void
  /** Id of a source to ask before the others of its tier. */
  readonly prefer?: string
}

export type Retrieved = {
  readonly bytes: Uint8Array
  /** Id of the source that gave them. */
  readonly source: string
}

export type Retriever = {
  /** Gets a block, checked against its name: from the source that has been fastest, from a second one as well
   * when that takes unusually long, from the next when one fails.
   * @throws RetrievalFailed when no source gives it, CidError, and the signal's reason when it is aborted */
  retrieve(cid: string, options?: RetrieveOptions): Promise<Retrieved>
  /** How each source has done so far. */
  quality(): Quality[]
}

type Outcome =
  | { readonly source: Source; readonly bytes: Uint8Array }
  | { readonly source: Source; readonly failure: AttemptFailed }
  | { readonly source: Source; readonly isAborted: true }

/** With two that stall, a third still saves the block; with three, the trouble is likely at our end. */
const maximumAtOnce = 3

/** Retrieval that believes nobody. It remembers who is fast, who fails and who lied for as long as it lives. */
export function createRetriever(options: RetrieverOptions): Retriever {
  const { now, sources, verify = verifyBlock, timeoutMs = 20_000, hedgeAfterMs = 1_000 } = options
  const download = options.download ?? downloadBy(options.fetch)
  const standings = createStandings(now)

  async function ask(source: Source, cid: string, signal: AbortSignal): Promise<Outcome> {
    const start = now()
    try {
      const bytes = await attempt(source, cid, { download, verify, signal, timeoutMs })
      standings.succeeded(source.id, now() - start)
      return { source, bytes }
    } catch (error) {
      if (error instanceof AttemptFailed) {
        standings.failed(source.id, error)
        return { source, failure: error }
      }
      if (!signal.aborted) throw error
      if (signal.reason === outrun) standings.outrun(source.id, now() - start)
      return { source, isAborted: true }
    }
  }

  async function retrieve(
    cid: string,
    { signal, onFault, prefer }: RetrieveOptions = {},
  ): Promise<Retrieved> {
    parseCid(cid)
    signal?.throwIfAborted()
    const all = sources()
    const waiting = standings.order(all, prefer)
    const faults = all
      .filter(({ id }) => standings.isDropped(id))
      .map(({ id }): Fault => ({ source: id, cid, kind: 'lied', message: 'it sent other bytes before' }))
    const losers = new AbortController()
    const both = signal ? AbortSignal.any([signal, losers.signal]) : losers.signal
    const running = new Map<Source, Promise<Outcome>>()
    try {
      for (let isHedging = false; ; ) {
        if (running.size === 0 || (isHedging && running.size < maximumAtOnce)) {
          const next = waiting.shift()
          if (next) running.set(next, ask(next, cid, both))
        }
        if (running.size === 0) throw new RetrievalFailed(cid, faults)
        const mayHedge = waiting.length > 0 && running.size < maximumAtOnce
        const outcome = await firstOf(running, mayHedge ? standings.hedgeAfterMs(hedgeAfterMs) : undefined)
        signal?.throwIfAborted()
        isHedging = outcome === undefined
        if (outcome === undefined) continue
        if ('bytes' in outcome) return { bytes: outcome.bytes, source: outcome.source.id }
        running.delete(outcome.source)
        if ('isAborted' in outcome) continue
        const { kind, message } = outcome.failure
        const fault = { source: outcome.source.id, cid, kind, message }
        faults.push(fault)
        onFault?.(fault)
        // Its place is taken at once, also while a hedge is still under way.
        isHedging = true
      }
    } finally {
      losers.abort(outrun)
    }
  }

  return { retrieve, quality: standings.snapshot }
}

const outrun = new DOMException('another source was faster', 'AbortError')

/** The first outcome, or undefined when there is none after a time. */
async function firstOf(
  running: ReadonlyMap<Source, Promise<Outcome>>,
  withinMs: number | undefined,
): Promise<Outcome | undefined> {
  if (withinMs === undefined) return Promise.race(running.values())
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), withinMs)
  try {
    return await Promise.race([...running.values(), promise])
  } finally {
    clearTimeout(timer)
  }
}
