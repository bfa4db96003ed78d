import { computeAddress, getAddress, type Interface, isHexString, SigningKey } from 'ethers'
import type { Logger } from '../process/index.ts'
import { isDatabaseFull, type Sqlite } from '../sqlite/index.ts'
import { MalformedAnswer, numberField } from './chain-values.ts'
import { createOutbox, type OutboxItem, statusOf, type TransactionStatus } from './outbox.ts'
import { RpcError, RpcUnavailable } from './rpc.ts'
import { createRpcEndpoints } from './rpc-endpoints.ts'
import { createSendingRound } from './sending-round.ts'

/** Sends transactions from one account, each until it is final. */
export type Sender = {
  /** The account that pays. */
  readonly address: string
  /**
   * Durable when it returns; a second call with the same id and content changes nothing.
   * @throws OutboxConflict when the id stands for something else
   */
  enqueue(item: OutboxItem): TransactionStatus
  /** Null for an id that was never queued. */
  status(id: string): TransactionStatus | null
  /** Queues a failed transaction anew; false when it has not failed, or when its failure is not final yet. */
  retry(id: string): boolean
  /** Calls `listener` after every change of a status; answers with what ends that. */
  onChange(listener: (status: TransactionStatus) => void): () => void
  /** How many wait to be sent, and to be mined. */
  counts(): { queued: number; sent: number }
  /** Ends the work; what is unfinished goes on when the outbox is opened again. */
  close(): Promise<void>
}

export type SenderOptions = {
  /** Opened with `outboxMigrations`. */
  database: Sqlite
  /** As of a reader. */
  rpcUrls: readonly string[]
  /** `0x` and 64 hex digits. No other program may send from this account. */
  privateKey: string
  chainId: number
  /** A transaction under this many blocks is final. */
  finalityBlocks: number
  logger: Logger
  signal: AbortSignal
  /** For the names of custom errors. @default none */
  interfaces?: readonly Interface[]
  /** Between looks at the chain while there is work. @default 1 s */
  pollMs?: number
  /** After this long unmined a transaction is sent again with higher fees. @default 30 s */
  resendAfterMs?: number
  /** The most to pay per gas. @default 500 gwei */
  maxFeeWei?: bigint
  /** Transactions sent and not yet mined; nodes commonly keep 16 per account. @default 16 */
  maxInFlight?: number
  /** Unix time in ms. @default Date.now */
  now?: () => number
}

const defaultMaxFeeWei = 500_000_000_000n
const requestTimeoutMs = 15_000

/** The chain is not the one that transactions are signed for. */
export class WrongChain extends Error {
  override readonly name = 'WrongChain'
}

export function createSender(options: SenderOptions): Sender {
  const { chainId, logger } = options
  const pollMs = options.pollMs ?? 1_000
  const key = new SigningKey(options.privateKey)
  const address = computeAddress(key)
  const outbox = createOutbox(options.database)
  const closing = new AbortController()
  const ended = AbortSignal.any([closing.signal, options.signal])
  const rpc = createRpcEndpoints({
    urls: options.rpcUrls,
    timeoutMs: requestTimeoutMs,
    signal: ended,
    logger,
  })
  const listeners = new Set<(status: TransactionStatus) => void>()
  const complaints = new Map<string, string>()
  let wake = Promise.withResolvers<void>()

  function changed(id: string): void {
    const row = outbox.find(id)
    if (row === null) return
    complaints.delete(id)
    const status = statusOf(row)
    logger.info({ transaction: status }, 'transaction changed')
    for (const listener of listeners) listener(status)
  }

  /** Logs a trouble once, not in every round that it lasts. */
  function complain(about: string, err: Error): void {
    if (complaints.get(about) !== err.message) logger.warn({ err, about }, 'sending has to wait')
    complaints.set(about, err.message)
  }

  const round = createSendingRound({
    rpc,
    outbox,
    key,
    chainId,
    finalityBlocks: options.finalityBlocks,
    logger,
    interfaces: options.interfaces ?? [],
    resendAfterMs: options.resendAfterMs ?? 30_000,
    maxFeeWei: options.maxFeeWei ?? defaultMaxFeeWei,
    maxInFlight: options.maxInFlight ?? 16,
    now: options.now ?? Date.now,
    changed,
    complain,
  })

  function hasWork(): boolean {
    return (['queued', 'sent', 'mined', 'failed'] as const).some((state) => outbox.countWatched(state) > 0)
  }

  async function work(): Promise<void> {
    let chainChecked = false
    while (!ended.aborted) {
      wake = Promise.withResolvers<void>()
      try {
        if (!chainChecked && hasWork()) {
          await checkChain()
          chainChecked = true
        }
        if (hasWork()) await round()
        for (const about of ['node', 'disk']) complaints.delete(about)
      } catch (error) {
        if (ended.aborted) return
        // What is not in the outbox has not been sent; what was sent is found again, as after a crash.
        if (isDatabaseFull(error)) complain('disk', error)
        else if (isOfTheNode(error)) complain('node', error)
        else throw error
      }
      await pause()
    }
  }

  async function checkChain(): Promise<void> {
    const actual = numberField(await rpc.call('eth_chainId', []), 'chain id')
    if (actual !== chainId) {
      throw new WrongChain(`the node is on chain ${actual}, transactions are signed for chain ${chainId}`)
    }
  }

  /** Until the next look at the chain; without work, until there is some. */
  async function pause(): Promise<void> {
    const over = Promise.withResolvers<void>()
    const timer = hasWork() ? setTimeout(over.resolve, pollMs) : undefined
    const stop = () => over.resolve()
    ended.addEventListener('abort', stop, { once: true })
    if (!ended.aborted) await Promise.race([over.promise, wake.promise])
    ended.removeEventListener('abort', stop)
    clearTimeout(timer)
  }

  // Whatever is not the node's fault ends the process loudly as an unhandled rejection.
  const worker = work()

  return {
    address,
    enqueue(item) {
      if (!isHexString(item.data)) throw new TypeError('the data of a transaction must be 0x and hex digits')
      const row = outbox.add({ ...item, to: getAddress(item.to), data: item.data.toLowerCase() })
      wake.resolve()
      return statusOf(row)
    },
    status(id) {
      const row = outbox.find(id)
      return row === null ? null : statusOf(row)
    },
    retry(id) {
      const row = outbox.find(id)
      if (row === null || row.state !== 'failed' || row.watched) return false
      outbox.requeue(id)
      changed(id)
      wake.resolve()
      return true
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    counts: () => ({ queued: outbox.countWatched('queued'), sent: outbox.countWatched('sent') }),
    async close() {
      closing.abort(new DOMException('the sender is closing', 'AbortError'))
      await worker
      await rpc.close()
    },
  }
}

function isOfTheNode(error: unknown): error is Error {
  return error instanceof RpcError || error instanceof RpcUnavailable || error instanceof MalformedAnswer
}
