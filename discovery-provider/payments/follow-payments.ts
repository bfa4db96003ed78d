import { setTimeout as delay } from 'node:timers/promises'
import type { NetworkFile } from '@hexachord/contracts/networks'
import {
  type ChainReader,
  followChain,
  MalformedAnswer,
  RpcError,
  RpcUnavailable,
} from '@hexachord/platform/chain'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Logger, Metrics } from '@hexachord/platform/process'
import { IndexMoved, isDatabaseAway } from '../indexing/index.ts'
import { type IndexedPayments, openPaymentIndex } from './payment-index.ts'

/** What of a network file says where its payments are. */
export type PaidNetwork = Pick<NetworkFile, 'chainId' | 'firstBlock' | 'finalityBlocks' | 'payments'>

/** Keeps the books of payments up with the chain, for as long as the signal lets it; by the one process that may write.
 * They have a checkpoint of their own, so that neither waits for the other and the catalogue's state hash knows nothing
 * of them. */
export type PaymentFollower = {
  /** A chain or a database that is away for a moment is waited for.
   * @throws ReorgTooDeep, WrongNetwork, and what is a mistake of ours */
  follow(signal: AbortSignal): Promise<void>
}

const firstRetryMs = 250
const longestRetryMs = 10_000

/** @param options.pollMs between looks at the head. @default as of `followChain` */
export function createPaymentFollower(options: {
  postgres: Postgres
  reader: ChainReader
  network: PaidNetwork
  metrics: Metrics
  logger: Logger
  pollMs?: number
}): PaymentFollower {
  const { postgres, reader, network, metrics, logger, pollMs } = options
  const { payments, finalityBlocks, firstBlock } = network
  const indexedBlock = metrics.gauge({
    name: 'payments_indexed_block',
    help: 'The last block up to which payments are indexed',
  })
  let retryMs = firstRetryMs

  async function followOnce(where: NonNullable<PaidNetwork['payments']>, signal: AbortSignal): Promise<void> {
    const index = await openPaymentIndex(postgres, await readPayments(reader, network, where))
    logger.info({ ...index.progress }, 'following payments')
    const events = followChain({
      reader,
      addresses: [where.streamEscrow.toLowerCase(), where.trackRegistry.toLowerCase()],
      ...{ startBlock: firstBlock, finalityBlocks, known: index.knownBlocks, logger, signal },
      ...(pollMs === undefined ? {} : { pollMs }),
    })
    for await (const event of events) {
      retryMs = firstRetryMs
      if (event.type === 'reorg') {
        await index.takeBack(event.toBlock)
        logger.warn({ toBlock: event.toBlock }, 'took payments back after a reorganisation')
      } else {
        await index.append(event)
        logger.debug({ toBlock: event.toBlock, logs: event.logs.length }, 'indexed payments')
      }
      indexedBlock.set(index.progress.indexed)
    }
  }

  return {
    async follow(signal) {
      if (payments === undefined) return
      while (!signal.aborted) {
        try {
          await followOnce(payments, signal)
        } catch (error) {
          if (signal.aborted) return
          if (!isPassing(error)) throw error
          logger.warn({ err: error, retryMs }, 'indexing of payments was interrupted')
          await delay(retryMs, undefined, { signal }).catch(() => undefined)
          retryMs = Math.min(longestRetryMs, retryMs * 2)
        }
      }
    },
  }
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof IndexMoved ||
    error instanceof RpcError ||
    error instanceof RpcUnavailable ||
    error instanceof MalformedAnswer ||
    isDatabaseAway(error)
  )
}

async function readPayments(
  reader: ChainReader,
  { chainId, firstBlock }: PaidNetwork,
  where: NonNullable<PaidNetwork['payments']>,
): Promise<IndexedPayments> {
  return {
    ...{ chainId, firstBlock },
    escrow: where.streamEscrow.toLowerCase(),
    registry: where.trackRegistry.toLowerCase(),
    token: where.token.toLowerCase(),
    decimals: await readDecimals(reader, where.token),
  }
}

/** `decimals()` of EIP-20 */
const decimalsCall = '0x313ce567'
/** EIP-1474: what a node answers for a call that reverts. */
const reverted = 3

/** EIP-20 leaves decimals out if it likes: then people see base units. */
async function readDecimals(reader: ChainReader, token: string): Promise<number> {
  try {
    const answer = await reader.call({ to: token, data: decimalsCall })
    return /^0x0{62}[0-9a-f]{2}$/.test(answer) ? Number(answer) : 0
  } catch (error) {
    if (error instanceof RpcError && error.code === reverted) return 0
    throw error
  }
}
