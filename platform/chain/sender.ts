import { computeAddress, getAddress, type Interface, isHexString, SigningKey, Transaction } from 'ethers'
import type { Logger } from '../process/index.ts'
import type { Sqlite } from '../sqlite/index.ts'
import { bigintField, MalformedAnswer, numberField, toHexNumber } from './chain-values.ts'
import { type Fees, least, raisedFees, replaces, suggestedFees } from './fees.ts'
import {
  createOutbox,
  type OutboxItem,
  type OutboxRow,
  type SignedForm,
  statusOf,
  type TransactionStatus,
} from './outbox.ts'
import { type MinedTransaction, minedTransactions, reasonOfRevert, refusal } from './receipts.ts'
import { createRpc, RpcError, RpcUnavailable } from './rpc.ts'

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
  /** Queues a failed transaction anew; false when it is not there or not failed before it was mined. */
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
  rpcUrl: string
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

/** Rows looked at in one round. */
const roundLimit = 200

/** The chain is not the one that transactions are signed for. */
export class WrongChain extends Error {
  override readonly name = 'WrongChain'
}

export function createSender(options: SenderOptions): Sender {
  const { database, chainId, finalityBlocks, logger } = options
  const now = options.now ?? Date.now
  const pollMs = options.pollMs ?? 1_000
  const resendAfterMs = options.resendAfterMs ?? 30_000
  const maxFeeWei = options.maxFeeWei ?? defaultMaxFeeWei
  const maxInFlight = options.maxInFlight ?? 16
  const interfaces = options.interfaces ?? []
  const key = new SigningKey(options.privateKey)
  const address = computeAddress(key)
  const outbox = createOutbox(database)
  const closing = new AbortController()
  const ended = AbortSignal.any([closing.signal, options.signal])
  const rpc = createRpc({ url: options.rpcUrl, timeoutMs: requestTimeoutMs, signal: ended })
  const listeners = new Set<(status: TransactionStatus) => void>()
  const complaints = new Map<string, string>()
  let wake = Promise.withResolvers<void>()

  function changed(id: string): void {
    const row = outbox.find(id)
    if (row === null) return
    const status = statusOf(row)
    logger.info({ transaction: status }, 'transaction changed')
    for (const listener of listeners) listener(status)
  }

  /** Logs a trouble once, not in every round that it lasts. */
  function complain(about: string, err: Error): void {
    if (complaints.get(about) !== err.message) logger.warn({ err, about }, 'sending has to wait')
    complaints.set(about, err.message)
  }

  function callOf(row: OutboxRow, from: string) {
    return { from, to: row.to, data: row.data }
  }

  async function recordMined(row: OutboxRow, mined: MinedTransaction): Promise<void> {
    const reason = mined.succeeded
      ? null
      : await reasonOfRevert(
          rpc,
          callOf(row, row.account ?? address),
          toHexNumber(mined.blockNumber),
          interfaces,
        )
    outbox.recordMined(row.id, { ...mined, reason })
    complaints.delete(row.id)
    changed(row.id)
  }

  /** Mined rows become final, or fall back when a reorganisation took them off the chain. */
  async function settleMined(finalBlock: number): Promise<void> {
    const rows = [...outbox.watched('mined', roundLimit), ...outbox.watched('failed', roundLimit)]
    const found = await minedTransactions(
      rpc,
      rows.map((row) => row.hash ?? ''),
    )
    for (const [index, row] of rows.entries()) {
      const mined = found[index] ?? null
      if (mined === null) {
        logger.warn({ id: row.id, hash: row.hash }, 'a mined transaction left the chain')
        outbox.recordDropped(row.id)
        changed(row.id)
      } else if (mined.blockHash !== row.blockHash) {
        await recordMined(row, mined)
      } else if (mined.blockNumber <= finalBlock) {
        outbox.recordFinal(row.id)
        changed(row.id)
      }
    }
  }

  async function chaseSent(finalBlock: number): Promise<void> {
    for (const row of outbox.watched('sent', roundLimit)) {
      const forms = outbox.signedForms(row.id)
      const receipts = await minedTransactions(
        rpc,
        forms.map(({ hash }) => hash),
      )
      const mined = receipts.find((receipt) => receipt !== null)
      const last = forms.at(-1)
      if (mined !== undefined && mined !== null) await recordMined(row, mined)
      else if (last !== undefined && row.sentAt === null) await broadcast(row, last)
      else if (last !== undefined && now() - (row.sentAt ?? 0) >= resendAfterMs)
        await sendAgain(row, last, finalBlock)
    }
  }

  async function sendAgain(row: OutboxRow, last: SignedForm, finalBlock: number): Promise<void> {
    if (row.nonce === null || row.account === null) return
    if ((await transactionCount(row.account, 'latest')) > row.nonce) {
      // Mined a moment ago, or the nonce went to a transaction that is not ours; only finality tells.
      if ((await transactionCount(row.account, toHexNumber(Math.max(0, finalBlock)))) > row.nonce) {
        logger.error(
          { id: row.id, nonce: row.nonce },
          'another program sent from this account; queueing anew',
        )
        outbox.requeue(row.id)
        changed(row.id)
      }
      return
    }
    const fees = raisedFees(last, await suggestedFees(rpc), maxFeeWei)
    // A key that was replaced meanwhile can no longer sign for the nonce; its last form is still good.
    const next = row.account === address && replaces(fees, last) ? await signed(row, row.nonce, fees) : last
    if (next !== last) outbox.recordSigned(row.id, next, { account: address, nonce: row.nonce })
    await broadcast(row, next)
    changed(row.id)
  }

  async function sendQueued(): Promise<void> {
    const room = maxInFlight - outbox.countWatched('sent')
    if (room <= 0) return
    for (const row of outbox.watched('queued', room)) {
      const reason = await refusal(rpc, callOf(row, address), 'pending', interfaces)
      if (reason !== null) {
        outbox.recordRefused(row.id, reason)
        changed(row.id)
        continue
      }
      const nonce = Math.max(await transactionCount(address, 'latest'), outbox.nextNonce(address))
      const { maxFee, priorityFee } = await suggestedFees(rpc)
      const fees = { maxFee: least(maxFee, maxFeeWei), priorityFee }
      const form = await signed(row, nonce, fees)
      outbox.recordSigned(row.id, form, { account: address, nonce })
      await broadcast(row, form)
      changed(row.id)
    }
  }

  async function signed(row: OutboxRow, nonce: number, fees: Fees): Promise<SignedForm> {
    const transaction = Transaction.from({
      type: 2,
      chainId,
      nonce,
      to: row.to,
      data: row.data,
      value: 0n,
      gasLimit: row.gasLimit ?? (await estimatedGas(row)),
      maxFeePerGas: fees.maxFee,
      maxPriorityFeePerGas: least(fees.priorityFee, fees.maxFee),
    })
    transaction.signature = key.sign(transaction.unsignedHash)
    return { hash: transaction.hash ?? '', raw: transaction.serialized, ...fees }
  }

  /** A quarter more than the node's estimate, since the state may have moved when it is mined. */
  async function estimatedGas(row: OutboxRow): Promise<bigint> {
    const gas = await rpc.call('eth_estimateGas', [callOf(row, address), 'pending'])
    return (bigintField(gas, 'gas estimate') * 5n) / 4n
  }

  async function broadcast(row: OutboxRow, form: SignedForm): Promise<void> {
    try {
      await rpc.call('eth_sendRawTransaction', [form.raw])
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      if (/underpriced|less than block base fee|fee too low/i.test(error.message)) {
        // Due at once for the next round, which raises the fees.
        outbox.recordBroadcast(row.id, now() - resendAfterMs)
        return
      }
      if (!/already known|known transaction|already imported|nonce too low/i.test(error.message)) {
        complain(row.id, error)
        return
      }
    }
    outbox.recordBroadcast(row.id, now())
  }

  async function transactionCount(account: string, block: string): Promise<number> {
    return numberField(await rpc.call('eth_getTransactionCount', [account, block]), 'transaction count')
  }

  function hasWork(): boolean {
    return (['queued', 'sent', 'mined', 'failed'] as const).some((state) => outbox.countWatched(state) > 0)
  }

  async function round(): Promise<void> {
    const finalBlock = numberField(await rpc.call('eth_blockNumber', []), 'head') - finalityBlocks
    await settleMined(finalBlock)
    await chaseSent(finalBlock)
    await sendQueued()
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
        complaints.delete('node')
      } catch (error) {
        if (ended.aborted) return
        if (!isOfTheNode(error)) throw error
        complain('node', error)
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
      if (row === null || row.state !== 'failed' || row.nonce !== null) return false
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
