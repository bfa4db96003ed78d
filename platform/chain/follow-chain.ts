import { setTimeout as delay } from 'node:timers/promises'
import pRetry from 'p-retry'
import type { Logger } from '../process/index.ts'
import type { ChainReader } from './chain-reader.ts'
import { type Block, type ChainLog, MalformedAnswer } from './chain-values.ts'
import {
  ChainChanged,
  type FetchedRange,
  fetchFinalRange,
  fetchOpenRange,
  type KnownBlock,
  ParentReplaced,
  type RangeRequest,
} from './fetch-range.ts'
import { createKnownBlocks, findCommonBlock } from './known-blocks.ts'
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
      blocks: Block[]
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

export type FollowOptions = {
  reader: ChainReader
  addresses: readonly string[]
  /** The first block that matters. */
  startBlock: number
  finalityBlocks: number
  /**
   * The blocks stored from earlier ranges, newest first: at least the newest of all, and all that could still be
   * undone. Asked once, at the start.
   */
  known: () => Promise<readonly KnownBlock[]>
  logger: Logger
  /** Between looks at the head once it is reached. @default 1 s */
  pollMs?: number
  /** Ends the sequence. */
  signal: AbortSignal
  /** Blocks per request at most. @default 10,000 */
  maxRangeBlocks?: number
}

/** One request per block is needed above finality. */
const openRangeBlocks = 100

/** A node behind a balancer may lag for a moment; a chain that stays shorter has lost blocks. */
const shorterPolls = 3

const firstRetryMs = 100
const longestRetryMs = 10_000

/**
 * Reads the logs of `addresses` from where `known` ends to the head and on, for as long as the signal lets it. The
 * consumer stores each event before it asks for the next one. Failures of the node are retried for ever and logged.
 * @throws ReorgTooDeep when blocks that were final are no longer on the chain
 */
export async function* followChain(options: FollowOptions): AsyncGenerator<ChainEvent, void, undefined> {
  const { reader, addresses, startBlock, finalityBlocks, logger, signal } = options
  const pollMs = options.pollMs ?? 1_000
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
      return reorganised()
    }
  }

  /** The head is not past what was read: nothing new, a lagging node, or a replaced chain. */
  async function eventOfShortHead(head: Block, last: KnownBlock): Promise<ChainEvent | null> {
    const stored = known.hashOf(head.number)
    if (stored !== null && stored !== head.hash) return reorganised()
    headSeenShorter = head.number < last.number ? headSeenShorter + 1 : 0
    return headSeenShorter < shorterPolls ? null : reorganised()
  }

  async function reorganised(): Promise<ChainEvent> {
    const reached = known.last?.number ?? startBlock - 1
    const floor = Math.max(finalized, reached - finalityBlocks)
    const toBlock = await findCommonBlock({ reader, known, startBlock, floor })
    headSeenShorter = 0
    logger.warn({ toBlock, depth: reached - toBlock }, 'the chain was reorganised')
    return { type: 'reorg', toBlock }
  }

  async function fetchEvent(fromBlock: number, head: number, parent: KnownBlock | null): Promise<RangeEvent> {
    const lastFinal = head - finalityBlocks
    const final = fromBlock <= lastFinal
    const toBlock = final
      ? Math.min(fromBlock + size.blocks - 1, lastFinal)
      : Math.min(fromBlock + openRangeBlocks - 1, head)
    const request = { reader, addresses, fromBlock, toBlock, parent }
    const range = final ? await fetchSized(request) : await fetchOpenRange(request)
    return { type: 'range', fromBlock, head, finalized: Math.max(0, lastFinal), ...range }
  }

  /** A range as large as the node lets it be: what is too much is tried again at once with less. */
  async function fetchSized(request: RangeRequest): Promise<FetchedRange> {
    const blocks = request.toBlock - request.fromBlock + 1
    try {
      const range = await fetchFinalRange(request)
      size.succeeded({ blocks, logs: range.logs.length })
      return range
    } catch (error) {
      if (!(error instanceof Error) || !isTooMuch(error)) throw error
      size.failed({ blocks, suggested: suggestedBlocks(error.message) })
      if (blocks === 1) throw error
      logger.debug({ err: error, blocks, next: size.blocks }, 'asking for a smaller range')
      return fetchSized({ ...request, toBlock: request.fromBlock + size.blocks - 1 })
    }
  }

  /** While the consumer writes a range of the past, the next one is on its way. */
  function fetchAhead(event: RangeEvent): void {
    const fromBlock = event.toBlock + 1
    if (fromBlock > event.finalized || known.last === null) return
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
      if (caughtUp) await delay(pollMs, undefined, { signal })
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

/** Whether a smaller range may succeed. Providers share no code for this, so an error that says "slower" is told apart. */
function isTooMuch(error: Error): boolean {
  if (error instanceof RpcUnavailable) return error.tooMuch
  return error instanceof RpcError && !/rate|too many requests|per second|capacity|daily/i.test(error.message)
}
