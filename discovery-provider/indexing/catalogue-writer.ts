import { setTimeout as delay } from 'node:timers/promises'
import { type ChainReader, MalformedAnswer, RpcError, RpcUnavailable } from '@hexachord/platform/chain'
import { LockHeld, type Postgres, withAdvisoryLock } from '@hexachord/platform/postgres'
import type { Logger } from '@hexachord/platform/process'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import type { Address } from '@hexachord/protocol/names'
import { ArchivesNeeded } from '../archives/index.ts'
import { createProgressLog, type Rebuild } from '../rebuilding/index.ts'
import { type CatalogueIndex, openCatalogueIndex } from './catalogue-index.ts'
import { checkStoredBlocks } from './check-stored-blocks.ts'
import { type IndexedNetwork, IndexMoved, WrongNetwork } from './checkpoint.ts'
import { isDatabaseAway } from './database-away.ts'
import { followCatalogue } from './follow-catalogue.ts'
import type { IndexMetrics } from './index-metrics.ts'

/** The part of a process that writes the index, or waits for the one that does to end. */
export type CatalogueWriter = {
  readonly role: 'writer' | 'standby'
  /** Whether it has still to reach the head of the chain for the first time since it writes: until then, whatever is
   * made of the index besides would be made again and again, and would keep it from getting there. */
  readonly isCatchingUp: boolean
  /** Resolves after `close`; rejects when the index cannot go on: a reorganisation deeper than finality, another
   * network, or a mistake of ours. Then nothing more is written. */
  readonly finished: Promise<void>
  /** Finishes the transaction under way. */
  close(): Promise<void>
}

/** What is logged at the end of a first synchronisation. */
const allMade = 'the indexes that readers need are made'

const lockName = 'catalogue-index'
const firstRetryMs = 250
const longestRetryMs = 10_000

/** Between looks at whether the other writer is still there. */
const standbyMs = 1_000

/** Follows the chain into the database for as long as it may: one writer per database, further ones stand by.
 * A chain or a database that is away for a moment is waited for.
 * @param pollMs between looks at the head of the chain. @default as of `followChain` */
export function startCatalogueWriter({
  postgres,
  reader,
  network,
  rules,
  honoured = [],
  metrics,
  logger,
  pollMs,
  prepare = async () => undefined,
  meanwhile = async () => undefined,
  now = Date.now,
  signal: outer,
}: {
  postgres: Postgres
  reader: ChainReader
  network: IndexedNetwork
  rules: CatalogueRules
  /** Whose notices deny tracks here. @default nobody's */
  honoured?: readonly Address[] | undefined
  metrics: IndexMetrics
  logger: Logger
  pollMs?: number | undefined
  /** Brings the index on by other means before the chain is followed. What it throws is met like a failure of the
   * chain if it is one, or an `ArchivesNeeded`. */
  prepare?: (index: CatalogueIndex, signal: AbortSignal) => Promise<void>
  /** Runs beside the following of the chain, and ends with the signal. What it throws ends the process. */
  meanwhile?: (signal: AbortSignal) => Promise<void>
  /** ms */
  now?: () => number
  /** Ends it like `close`. */
  signal: AbortSignal
}): CatalogueWriter {
  const stopping = new AbortController()
  const signal = AbortSignal.any([stopping.signal, outer])
  let role: CatalogueWriter['role'] = 'standby'
  let isCatchingUp = false
  let retryMs = firstRetryMs

  async function write(mayWrite: AbortSignal): Promise<void> {
    await checkChain(reader, network)
    const index = await openCatalogueIndex({ postgres, network, rules })
    role = 'writer'
    logger.info({ ...index.checkpoint }, 'this process writes the index')
    await checkStoredBlocks({ index, reader, startBlock: network.firstBlock, metrics, logger })
    await rebuildStale(index, mayWrite)
    await index.honour(honoured)
    await prepare(index, mayWrite)
    retryMs = firstRetryMs
    const startBlock = network.firstBlock
    isCatchingUp = (await reader.head()).number > index.checkpoint.indexed
    const onHead = async () => {
      if (await index.complete(mayWrite)) logger.info(allMade)
      isCatchingUp = false
    }
    // It may have ended just there, with its indexes still to be made.
    if (!isCatchingUp) await onHead()
    const following = new AbortController()
    const beside = meanwhile(AbortSignal.any([mayWrite, following.signal]))
    try {
      const follow = { index, reader, rules, startBlock, pollMs, metrics, logger, onHead }
      await followCatalogue({ ...follow, signal: mayWrite })
    } finally {
      following.abort()
      await beside
    }
  }

  async function rebuildStale(index: CatalogueIndex, signal: AbortSignal): Promise<void> {
    const { stale } = index
    if (stale === 'nothing') return
    logger.info({ stale }, 'making tables anew, beside those that are read')
    const say = createProgressLog(logger, now)
    try {
      const onProgress = (rebuild: Rebuild) => {
        metrics.rebuilding(rebuild)
        say(rebuild)
      }
      await index.rebuild({ now, onProgress, signal })
    } finally {
      metrics.rebuilding(null)
    }
    logger.info({ ...index.checkpoint, stale }, 'tables made anew have taken the place of the old ones')
  }

  async function run(): Promise<void> {
    let saidStandby = false
    while (!signal.aborted) {
      let pauseMs = standbyMs
      try {
        await withAdvisoryLock(postgres, lockName, write, { signal, wait: false })
        saidStandby = false
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof LockHeld) {
          metrics.stoodBy()
          if (!saidStandby) logger.info('another process writes the index; this one only answers readers')
          saidStandby = true
        } else {
          if (!isPassing(error)) throw error
          logger.warn({ err: error, retryMs }, 'indexing was interrupted')
          pauseMs = retryMs
          retryMs = Math.min(longestRetryMs, retryMs * 2)
        }
      } finally {
        role = 'standby'
        isCatchingUp = false
      }
      await pause(pauseMs, signal)
    }
  }

  const finished = run()
  return {
    get role() {
      return role
    },
    get isCatchingUp() {
      return isCatchingUp
    },
    finished,
    async close() {
      stopping.abort()
      // Whoever holds `finished` has learnt of a failure already.
      await finished.catch(() => undefined)
    },
  }
}

/** @throws WrongNetwork */
async function checkChain(reader: ChainReader, network: IndexedNetwork): Promise<void> {
  const chainId = await reader.chainId()
  if (chainId === network.chainId) return
  throw new WrongNetwork(
    `RPC_URL leads to chain ${chainId}, but the network of NETWORK_FILE is on chain ${network.chainId}`,
  )
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof IndexMoved ||
    error instanceof ArchivesNeeded ||
    error instanceof RpcError ||
    error instanceof RpcUnavailable ||
    error instanceof MalformedAnswer ||
    isDatabaseAway(error)
  )
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
