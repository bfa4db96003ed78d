import { computeAddress, type Interface, keccak256, type SigningKey, Transaction } from 'ethers'
import type { Logger } from '../process/index.ts'
import { bigintField, numberField, toHexNumber } from './chain-values.ts'
import { type Fees, least, raisedFees, replaces, suggestedFees } from './fees.ts'
import type { Outbox, OutboxRow, SignedForm } from './outbox.ts'
import { type MinedTransaction, minedTransactions, reasonOfRevert, refusal } from './receipts.ts'
import { type Rpc, RpcError } from './rpc.ts'

/** Rows looked at in one round. */
const roundLimit = 200
/** What was sent so long ago, and is not mined, is looked for at the node: it may have forgotten it. */
const lookAfterMs = 2_000

/** What a round works with; see `SenderOptions`. */
export type SendingRoundOptions = {
  rpc: Rpc
  outbox: Outbox
  key: SigningKey
  chainId: number
  finalityBlocks: number
  logger: Logger
  interfaces: readonly Interface[]
  resendAfterMs: number
  maxFeeWei: bigint
  maxInFlight: number
  now: () => number
  /** A row has another status now. */
  changed: (id: string) => void
  /** A row has to wait for what the error says. */
  complain: (id: string, error: Error) => void
}

/**
 * One look at the chain and what follows from it: mined rows become final or fall back, sent ones are looked for and
 * sent again, queued ones get a nonce and go out. Whatever a round decides is in the outbox before it is on the wire.
 */
export function createSendingRound(options: SendingRoundOptions): () => Promise<void> {
  const { rpc, outbox, key, chainId, logger, interfaces, resendAfterMs, maxFeeWei, now, changed, complain } =
    options
  const address = computeAddress(key)

  /** What the node says against one transaction must not hold up the others. */
  async function forRow(row: OutboxRow, work: (row: OutboxRow) => Promise<void>): Promise<void> {
    try {
      await work(row)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      complain(row.id, error)
    }
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

  async function chaseSent(row: OutboxRow, finalBlock: number): Promise<void> {
    const forms = outbox.signedForms(row.id)
    const receipts = await minedTransactions(
      rpc,
      forms.map(({ hash }) => hash),
    )
    const mined = receipts.find((receipt) => receipt !== null)
    const last = forms.at(-1)
    if (mined !== undefined && mined !== null) await recordMined(row, mined)
    else if (last !== undefined && row.sentAt === null) await broadcast(row, last)
    else if (last !== undefined && now() - (row.sentAt ?? 0) >= resendAfterMs) {
      await sendAgain(row, last, finalBlock)
    } else if (last !== undefined && now() - (row.sentAt ?? 0) >= lookAfterMs) {
      // A reorganisation before it was seen mined, or a node that was started anew, leaves it nowhere. The time of its
      // first sending stays, so that a node which drops it for its low fee gets it with a higher one.
      if (!(await isKnown(last.hash))) await broadcast(row, last, row.sentAt ?? now())
    }
  }

  async function isKnown(hash: string): Promise<boolean> {
    return (await rpc.call('eth_getTransactionByHash', [hash])) !== null
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
    const canRaise = row.account === address && replaces(fees, last)
    // No new estimate of gas: in the pending state this very call has been made already.
    const { gasLimit } = Transaction.from(last.raw)
    const next = canRaise ? signed(row, { nonce: row.nonce, gasLimit, fees }) : last
    if (next !== last) outbox.recordSigned(row.id, next, { account: address, nonce: row.nonce })
    await broadcast(row, next)
  }

  async function sendQueued(row: OutboxRow): Promise<void> {
    const reason = await refusal(rpc, callOf(row, address), 'pending', interfaces)
    if (reason !== null) {
      outbox.recordRefused(row.id, reason)
      changed(row.id)
      return
    }
    const gasLimit = row.gasLimit ?? (await estimatedGas(row))
    const { maxFee, priorityFee } = await suggestedFees(rpc)
    const fees = { maxFee: least(maxFee, maxFeeWei), priorityFee: least(priorityFee, maxFeeWei) }
    const nonce = Math.max(await transactionCount(address, 'latest'), outbox.nextNonce(address))
    const form = signed(row, { nonce, gasLimit, fees })
    outbox.recordSigned(row.id, form, { account: address, nonce })
    await broadcast(row, form)
  }

  function signed(row: OutboxRow, terms: { nonce: number; gasLimit: bigint; fees: Fees }): SignedForm {
    const transaction = Transaction.from({
      type: 2,
      chainId,
      nonce: terms.nonce,
      to: row.to,
      data: row.data,
      value: 0n,
      gasLimit: terms.gasLimit,
      maxFeePerGas: terms.fees.maxFee,
      maxPriorityFeePerGas: terms.fees.priorityFee,
    })
    transaction.signature = key.sign(transaction.unsignedHash)
    return { hash: keccak256(transaction.serialized), raw: transaction.serialized, ...terms.fees }
  }

  /** A quarter more than the node's estimate, since the state may have moved when it is mined. */
  async function estimatedGas(row: OutboxRow): Promise<bigint> {
    const gas = await rpc.call('eth_estimateGas', [callOf(row, address), 'pending'])
    return (bigintField(gas, 'gas estimate') * 5n) / 4n
  }

  async function broadcast(row: OutboxRow, form: SignedForm, sentAt = now()): Promise<void> {
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
    outbox.recordBroadcast(row.id, sentAt)
    changed(row.id)
  }

  async function transactionCount(account: string, block: string): Promise<number> {
    return numberField(await rpc.call('eth_getTransactionCount', [account, block]), 'transaction count')
  }

  return async function round(): Promise<void> {
    const finalBlock = numberField(await rpc.call('eth_blockNumber', []), 'head') - options.finalityBlocks
    await settleMined(finalBlock)
    for (const row of outbox.watched('sent', roundLimit)) {
      await forRow(row, (sent) => chaseSent(sent, finalBlock))
    }
    const room = options.maxInFlight - outbox.countWatched('sent')
    for (const row of outbox.watched('queued', Math.max(0, room))) await forRow(row, sendQueued)
  }
}
