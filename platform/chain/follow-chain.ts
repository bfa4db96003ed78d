import { setTimeout as delay } from 'node:timers/promises'
import pRetry from 'p-retry'
import type { Logger } from '../process/index.ts'
import { createBlockPace } from './block-pace.ts'
import { createBloomDoubt } from './bloom-doubt.ts'
import type { ChainReader, LogFilter } from './chain-reader.ts'
import { type Block, type BlockPlace, type ChainLog, MalformedAnswer } from './chain-values.ts'
import {
  ChainChanged,
  type FetchedRange,
  fetchFinalRange,
  fetchOpenRange,
  type KnownBlock,
  ParentReplaced,
  type RangeRequest,
} from './fetch-range.ts'
import { findCommonBlock } from './find-common-block.ts'
import { createKnownBlocks } from './known-blocks.ts'
import { asksForLess } from './node-answers.ts'
import { createRangeSize, suggestedBlocks } from './range-size.ts'
import { RpcError, RpcUnavailable } from './rpc.ts'

/** What a follower of the chain is told, in order; ranges follow each other without gap or overlap. */
export type ChainEvent =
  | {
      type: 'range'
      /** Both ends included. */
      fromBlock: number
      toBlock: number
      /** In the order of the chain. */
      logs: ChainLog[]
      /** Ascending: every block with logs, every block above finality, and always `toBlock`. */
      blocks: BlockPlace[]
      /** The newest block of the node. */
      head: number
      /** No reorganisation will reach this block or one before it. */
      finalized: number
    }
  | {
      type: 'reorg'
      /** The last block that is still on the chain: everything above it has to be undone. */
      toBlock: number
    }

export type FollowOptions = LogFilter & {
  reader: ChainReader
  /** The first block that matters. */
  startBlock: number
  finalityBlocks: number
  /**
   * The blocks stored from earlier ranges, newest first: at least the newest of all, and all that could still be
   * undone. Asked once, at the start.
   */
  known: () => Promise<readonly KnownBlock[]>
  logger: Logger
  /** Between looks at the head once it is reached. @default a quarter of the time between blocks, from 0.2 to 1 s */
  pollMs?: number
  /** Ends the sequence. */
  signal: AbortSignal
  /** Blocks per request at most. @default 10,000 */
  maxRangeBlocks?: number
}

/** At most, as one request per block is needed above finality. */
const openRangeBlocks = 100

/** A node behind a balancer may lag for a few seconds; a chain that stays shorter has lost blocks. One that has others in
 * their place is noticed at once. */
const shorterPolls = 8

const firstRetryMs = 100
const longestRetryMs = 10_000

/**
 * Reads the logs that the filter names from where `known` ends to the head and on, for as long as the signal lets it. The
 * consumer stores each event before it asks for the next one. Failures of the node are retried for ever and logged.
 * @throws ReorgTooDeep when blocks that were final are no longer on the chain
 */
export async function* followChain(options: FollowOptions): AsyncGenerator<ChainEvent, void, undefined> {
  const { reader, addresses, narrowed = [], startBlock, finalityBlocks, logger, signal } = options
  const filter = { addresses, narrowed }
  const doubt = createBloomDoubt(filter)
  const pace = createBlockPace()
  const known = createKnownBlocks(await options.known())
  const size = createRangeSize({ maxBlocks: options.maxRangeBlocks ?? 10_000 })
  let finalized = finalizedBefore(known.list(), startBlock)
  let headSeenShorter = 0
  let ahead: { fromBlock: number; range: Promise<RangeEvent | null> } | null = null

  type RangeEvent = Extract<ChainEvent, { type: 'range' }>

  async function nextEvent(): Promise<ChainEvent | null> {
    const fromBlock = known.last === null ? startBlock : known.last.number + 1
    const prefetched = ahead?.fromBlock === fromBlock ? await ahead.range : null
    if (prefetched !== null) return prefetched
    ahead = null
    const head = await reader.head()
    if (known.last !== null && head.number < fromBlock) return eventOfShortHead(head, known.last)
    headSeenShorter = 0
    if (head.number < fromBlock) return null
    try {
      return await fetchEvent(fromBlock, head.number, known.last)
    } catch (error) {
      if (!(error instanceof ParentReplaced)) throw error
      return reorganised(known.list())
    }
  }

  /** The head is not past what was read: nothing new, a lagging node, or a replaced chain. */
  async function eventOfShortHead(head: Block, last: KnownBlock): Promise<ChainEvent | null> {
    if (head.number < finalized) {
      throw new ChainChanged(`the node is at block ${head.number}, but ${finalized} was final: it lags`)
    }
    const stored = known.hashOf(head.number)
    if (stored !== null && stored !== head.hash) return reorganised(known.list())
    headSeenShorter = head.number < last.number ? headSeenShorter + 1 : 0
    if (headSeenShorter < shorterPolls) return null
    // The head tells that there are no blocks above it, which the lack of them alone would not.
    return reorganised(known.list().filter(({ number }) => number <= head.number))
  }

  /** @param compared those of the known blocks that are to be looked for on the chain */
  async function reorganised(compared: readonly KnownBlock[]): Promise<ChainEvent> {
    const reached = known.last?.number ?? startBlock - 1
    const floor = Math.max(finalized, reached - finalityBlocks)
    const toBlock = await findCommonBlock({ reader, known: compared, startBlock, floor, signal })
    if (toBlock >= reached)
      throw new ChainChanged(`block ${reached} is on the chain of one node, not of another`)
    headSeenShorter = 0
    logger.warn({ toBlock, depth: reached - toBlock }, 'the chain was reorganised')
    return { type: 'reorg', toBlock }
  }

  async function fetchEvent(fromBlock: number, head: number, parent: KnownBlock | null): Promise<RangeEvent> {
    const lastFinal = head - finalityBlocks
    const final = fromBlock <= lastFinal
    const blocks = final ? size.blocks : Math.min(size.blocks, openRangeBlocks)
    const toBlock = Math.min(fromBlock + blocks - 1, final ? lastFinal : head)
    const request = { reader, filter, doubt, fromBlock, toBlock, parent, signal }
    const range = final ? await fetchSized(request) : await fetchOpenRange(request)
    return { type: 'range', fromBlock, head, finalized: Math.max(0, lastFinal), ...range }
  }

  /** A range as large as the node lets it be: what is too much is tried again at once with less. */
  async function fetchSized(request: RangeRequest): Promise<FetchedRange> {
    const blocks = request.toBlock - request.fromBlock + 1
    try {
      const range = await fetchFinalRange(request)
      size.succeeded({ blocks, logs: logsAsAtEnd(range.logs, request) })
      return range
    } catch (error) {
      if (!(error instanceof Error) || !asksForLess(error)) throw error
      size.failed({ blocks, suggested: suggestedBlocks(error.message) })
      if (blocks === 1) throw error
      logger.debug({ err: error, blocks, next: size.blocks }, 'asking for a smaller range')
      return fetchSized({ ...request, toBlock: request.fromBlock + size.blocks - 1 })
    }
  }

  /** While the consumer writes a range below the head, the next one is on its way. What of it is replaced until it is
   * given is replaced soon after, as far as anybody can tell: the range after it finds out. */
  function fetchAhead(event: RangeEvent): void {
    const fromBlock = event.toBlock + 1
    if (fromBlock > event.head || known.last === null) return
    // A failure here is met again, and handled, when the range is asked for in its turn.
    const range = fetchEvent(fromBlock, event.head, known.last).catch(() => null)
    ahead = { fromBlock, range }
  }

  function remember(event: ChainEvent): void {
    if (event.type === 'reorg') {
      known.rollBackTo(event.toBlock)
      ahead = null
      return
    }
    finalized = Math.max(finalized, event.finalized)
    known.add(event.blocks)
    pace.add(event.blocks)
    known.finalize(finalized)
    fetchAhead(event)
  }

  try {
    while (!signal.aborted) {
      const event = await retrying(nextEvent, logger, signal)
      if (event !== null) {
        remember(event)
        yield event.type === 'range' ? { ...event, finalized } : event
      }
      const caughtUp = event === null || (event.type === 'range' && event.toBlock === event.head)
      if (caughtUp) await delay(options.pollMs ?? pace.pollMs, undefined, { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Only final blocks are stored with gaps below them, so the oldest known one was final unless it is the very first. */
function finalizedBefore(newestFirst: readonly KnownBlock[], startBlock: number): number {
  const oldest = newestFirst.at(-1)
  return oldest !== undefined && oldest.number > startBlock ? oldest.number : 0
}

/** Tries for ever what a node may mend; other errors are ours and end the sequence. */
function retrying<Result>(work: () => Promise<Result>, logger: Logger, signal: AbortSignal): Promise<Result> {
  return pRetry(work, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: firstRetryMs,
    maxTimeout: longestRetryMs,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => isOfTheNode(error),
    onFailedAttempt: ({ error, attemptNumber, retryDelay }) => {
      if (isOfTheNode(error) && !signal.aborted) {
        logger.warn({ err: error, attempt: attemptNumber, retryMs: retryDelay }, 'reading the chain failed')
      }
    },
  })
}

function isOfTheNode(error: Error): boolean {
  return (
    error instanceof RpcError ||
    error instanceof RpcUnavailable ||
    error instanceof MalformedAnswer ||
    error instanceof ChainChanged ||
    error instanceof ParentReplaced
  )
}

/** How many logs a range would hold if all of it were as its last tenth is: a chain that has just become busy stays so.
 * Never less than it holds. */
function logsAsAtEnd(
  logs: readonly ChainLog[],
  { fromBlock, toBlock }: Pick<RangeRequest, 'fromBlock' | 'toBlock'>,
): number {
  const blocks = toBlock - fromBlock + 1
  const last = Math.ceil(blocks / 10)
  const recent = logs.filter(({ blockNumber }) => blockNumber > toBlock - last).length
  return Math.max(logs.length, Math.ceil((recent * blocks) / last))
}
