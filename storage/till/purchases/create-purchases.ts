import { localDollarAbi, trackPurchasesAbi, trackRegistryAbi } from '@hexachord/contracts/generated'
import {
  type ChainReader,
  decodeRevert,
  OutboxConflict,
  RpcError,
  type Sender,
  type TransactionStatus,
} from '@hexachord/platform/chain'
import { Problem } from '@hexachord/platform/http'
import { type Address, type Hash, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { type Shares, splitLine } from '@hexachord/protocol/payments'
import { strictSignature } from '@hexachord/protocol/signing'
import { Interface, type InterfaceAbi, ZeroAddress } from 'ethers'
import { LRUCache } from 'lru-cache'
import { shareTooSmall } from '../gate/index.ts'
import { caip2 } from '../payment-headers.ts'
import {
  type Authorization,
  checkAuthorization,
  type ExactRequirements,
  PurchaseRefused,
  readExactPayment,
  signedAfter,
} from './exact-payment.ts'
import { type FoundPayment, findPayment } from './find-payment.ts'
import { readTokenName } from './token-name.ts'

export type PurchasesOptions = {
  readonly network: {
    readonly chainId: number
    readonly finalityBlocks: number
    readonly payments: { readonly token: string; readonly trackPurchases: string }
  }
  /** The operator, which gets a node's share. */
  readonly node: Address
  readonly chain: Pick<ChainReader, 'call' | 'head' | 'block' | 'logs'>
  /** Sends with the operator's hot key. */
  readonly sender: Pick<Sender, 'enqueue' | 'status' | 'onChange' | 'retry'>
  /** Terms in force; undefined for a track that is free. */
  readonly termsOf: (track: Hash) => ({ readonly unitPrice: bigint } & Shares) | undefined
  /** Tracks that cost less, in base units, are not sold whole: to settle a purchase costs the node gas. */
  readonly leastPrice: bigint
  /** Tracks that give a node less are refused, as they are by segments. */
  readonly leastNodeBps: number
  /** What a base unit of the token is worth, in wei; zero to let gas cost nothing. */
  readonly weiPerUnit: bigint
  /** In wei, at present. */
  readonly gasPrice: () => Promise<bigint>
  /** Throws a Problem while no money may be taken here; what was paid before is given. */
  readonly requireOpen: () => Promise<void>
  /** How long a buyer waits for the chain. @default 60 s */
  readonly minedTimeoutMs?: number
  /** Unix time in ms. */
  readonly now: () => number
}

/** A purchase that stands on the chain. */
export type Receipt = { readonly payer: Address; readonly transaction: string; readonly amount: bigint }

/** Whole tracks, for buyers who know the scheme `exact` of x402 and nothing of us. */
export type Purchases = {
  /** What all of a track costs; undefined for one that is free, or that is not sold whole.
   * @param units how many it has
   * @throws Problem 403 where this node's share is below its floor */
  requirements(subject: Subject, units: number): Promise<ExactRequirements | undefined>
  /** Whether a track is sold whole, as far as its terms go. */
  sells(subject: Subject, units: number): boolean
  /** Before anything is paid. @throws Problem 403 while what this node would earn is less than its gas, and while no money
   * may be taken here */
  requireWanted(subject: Subject, wanted: ExactRequirements): Promise<void>
  /**
   * Checks a payment, sends it, and resolves when it is on the chain, split among node and payees. Where somebody else has
   * sent it, it has paid all the same. The same payment again is the same purchase: nothing is paid twice, and until it
   * expires a broken download goes on with it.
   * @param header `PAYMENT-SIGNATURE`
   * @throws PurchaseRefused, PurchaseUnderWay, Problem 400, and as `requireWanted` for one that is new
   */
  buy(subject: Subject, wanted: ExactRequirements, header: string): Promise<Receipt>
}

/** The chain takes its time: the same payment may be sent again. */
export class PurchaseUnderWay extends Error {
  override readonly name = 'PurchaseUnderWay'
}

/** For the buyer to sign and us to send, and for a broken download to go on. */
const maxTimeoutSeconds = 600
const mostWaiting = 100
/** To settle takes 118,000 the first time (see the snapshots of `contracts`), beside the transfer. */
const gasLimit = 400_000n
/** Of a purchase with its transfer, rounded up from what the first one of a track and node takes. Later ones take less. */
const gasOfPurchase = 220_000n

const purchases = new Interface(trackPurchasesAbi as InterfaceAbi)
const dollar = new Interface(localDollarAbi as InterfaceAbi)
/** For the names of what may be refused; tokens have their errors by ERC-6093, or say it in words. */
const errors = [trackPurchasesAbi, trackRegistryAbi, localDollarAbi].map(
  (abi) => new Interface(abi as InterfaceAbi),
)
const askAgain = 'ask again with the same payment'
const noMoney = /^ERC20InsufficientBalance|exceeds balance/

export function createPurchases(options: PurchasesOptions): Purchases {
  const { node, chain, sender, termsOf, now, minedTimeoutMs = 60_000 } = options
  const { leastPrice, leastNodeBps, weiPerUnit } = options
  const { chainId, finalityBlocks, payments } = options.network
  const network = caip2(chainId)
  const addresses = new LRUCache<string, string>({ max: 10_000 })
  let tokenName: Promise<ExactRequirements['extra']> | undefined
  /** What may still be on its way, by payer. */
  const sent = new LRUCache<Address, Map<string, bigint>>({ max: 10_000 })
  let waiting = 0

  async function nameOfToken(): Promise<ExactRequirements['extra']> {
    tokenName ??= readTokenName(chain, payments.token)
    try {
      return await tokenName
    } catch (error) {
      tokenName = undefined
      throw error
    }
  }

  async function payToOf(track: Hash): Promise<string> {
    const known = addresses.get(track)
    if (known !== undefined) return known
    const data = purchases.encodeFunctionData('purchaseOf', [track, node])
    const answer = await chain.call({ to: payments.trackPurchases, data })
    const address = String(purchases.decodeFunctionResult('purchaseOf', answer)[0])
    addresses.set(track, address)
    return address
  }

  async function requireWorth(track: Hash, amount: bigint): Promise<void> {
    const terms = termsOf(track)
    if (weiPerUnit === 0n || terms === undefined) return
    const earned = splitLine({ amount, curator: ZeroAddress as Address }, terms).node
    const gas = gasOfPurchase * (await options.gasPrice())
    if (earned * weiPerUnit <= gas) throw belowGas(earned, gas / weiPerUnit)
  }

  async function balanceOf(payer: Address): Promise<bigint> {
    const data = dollar.encodeFunctionData('balanceOf', [payer])
    const answer = await chain.call({ to: payments.token, data })
    return BigInt(dollar.decodeFunctionResult('balanceOf', answer)[0])
  }

  /** Of a payer beside one purchase, in base units. */
  function onItsWayBeside(id: string, payer: Address): bigint {
    const ids = sent.get(payer) ?? new Map<string, bigint>()
    for (const known of ids.keys()) {
      const { state } = sender.status(known) ?? {}
      if (state !== 'queued' && state !== 'sent') ids.delete(known)
    }
    return [...ids].reduce((sum, [other, amount]) => (other === id ? sum : sum + amount), 0n)
  }

  /** What only the chain knows: money, nonce, terms. @throws PurchaseRefused */
  async function rehearse(data: string, payer: Address): Promise<void> {
    try {
      await chain.call({ to: payments.trackPurchases, data })
    } catch (error) {
      // EIP-1474 gives 3 to reverts; not every node follows.
      const isRefusal = error instanceof RpcError && (error.code === 3 || /revert/i.test(error.message))
      if (!isRefusal) throw error
      const why = typeof error.data === 'string' ? decodeRevert(error.data, errors) : error.message
      const reason = noMoney.test(why) ? 'insufficient_funds' : 'invalid_transaction_state'
      throw new PurchaseRefused(reason, payer, `the chain would refuse it: ${why}`)
    }
  }

  async function ended(id: string): Promise<TransactionStatus> {
    if (waiting >= mostWaiting) throw new PurchaseUnderWay('too many purchases are under way: ask again')
    waiting += 1
    const done = Promise.withResolvers<TransactionStatus | undefined>()
    const look = (status: TransactionStatus | null) => {
      if (status?.id === id && status.state !== 'queued' && status.state !== 'sent') done.resolve(status)
    }
    const forget = sender.onChange(look)
    const timer = setTimeout(() => done.resolve(undefined), minedTimeoutMs)
    try {
      look(sender.status(id))
      const status = await done.promise
      if (status === undefined) {
        throw new PurchaseUnderWay(`the chain takes its time: ${askAgain}`)
      }
      return status
    } finally {
      waiting -= 1
      clearTimeout(timer)
      forget()
    }
  }

  /** The payment where somebody else has sent it. What lies at the track's address then is split by nobody but whoever asks
   * for that: we do. */
  async function paidByOthers(
    track: Hash,
    authorization: Authorization,
    wanted: ExactRequirements,
  ): Promise<FoundPayment | undefined> {
    const sinceSeconds = signedAfter(authorization, wanted)
    const found = await findPayment(chain, authorization, { asset: wanted.asset, sinceSeconds })
    if (found === undefined) return undefined
    const data = purchases.encodeFunctionData('settle', [track, node])
    const id = `settle/${authorization.from}/${authorization.nonce}`
    sender.enqueue({ id, to: payments.trackPurchases, data, gasLimit })
    return found
  }

  /** For a payment of which nothing of ours is on its way, that a reorganisation would bring back. @throws PurchaseUnderWay */
  async function requireFinal({ blockNumber }: FoundPayment): Promise<void> {
    const { number } = await chain.head()
    if (number - blockNumber < finalityBlocks) throw new PurchaseUnderWay(`it is not final yet: ${askAgain}`)
  }

  return {
    async requirements(subject, units) {
      const track = subjectToBytes32(subject)
      const terms = termsOf(track)
      if (terms === undefined || terms.unitPrice === 0n) return undefined
      if (terms.nodeBps < leastNodeBps) throw shareTooSmall(terms.nodeBps, leastNodeBps)
      const price = terms.unitPrice * BigInt(units)
      if (price === 0n || price < leastPrice) return undefined
      return {
        ...{ scheme: 'exact', network, amount: String(price), asset: payments.token },
        ...{ payTo: await payToOf(track), maxTimeoutSeconds, extra: await nameOfToken() },
      }
    },

    sells(subject, units) {
      const terms = termsOf(subjectToBytes32(subject))
      const price = (terms?.unitPrice ?? 0n) * BigInt(units)
      return terms !== undefined && terms.nodeBps >= leastNodeBps && price > 0n && price >= leastPrice
    },

    async requireWanted(subject, wanted) {
      await options.requireOpen()
      await requireWorth(subjectToBytes32(subject), BigInt(wanted.amount))
    },

    async buy(subject, wanted, header) {
      const authorization = readExactPayment(header, network)
      checkAuthorization(authorization, wanted, chainId, Math.floor(now() / 1000))
      const { from: payer, nonce, value: amount } = authorization
      const track = subjectToBytes32(subject)
      const data = settlingData(track, node, authorization)
      // Nonces are the token's: one buyer's is used once, for one purchase.
      const id = `purchase/${payer}/${nonce}`
      const findElsewhere = () => paidByOthers(track, authorization, wanted)
      if (sender.status(id) === null) {
        try {
          await rehearse(data, payer)
        } catch (error) {
          const found = error instanceof PurchaseRefused ? await findElsewhere() : undefined
          if (found === undefined) throw error
          await requireFinal(found)
          return { payer, amount, transaction: found.transaction }
        }
        await options.requireOpen()
        await requireWorth(track, amount)
        const balance = await balanceOf(payer)
        // Each of them would pass alone, and all but the first would fail at this node's cost.
        if (onItsWayBeside(id, payer) + amount > balance) {
          throw new PurchaseUnderWay(`its payer has not enough for all that is under way: ${askAgain}`)
        }
        sent.set(payer, (sent.get(payer) ?? new Map<string, bigint>()).set(id, amount))
      }
      try {
        sender.enqueue({ id, to: payments.trackPurchases, data, gasLimit })
      } catch (error) {
        if (!(error instanceof OutboxConflict)) throw error
        throw new PurchaseRefused('nonce_already_used', payer, 'its nonce has paid for something else')
      }
      const { state, hash, reason, blockNumber } = await ended(id)
      if (state !== 'failed') return { payer, amount, transaction: hash ?? '' }
      const found = await findElsewhere()
      if (found !== undefined) {
        // One that was mined in vain is sent again when a reorganisation takes both off the chain.
        if (blockNumber === null) await requireFinal(found)
        return { payer, amount, transaction: found.transaction }
      }
      await rehearse(data, payer)
      // It failed and would not fail now, such as after a reorganisation.
      sender.retry(id)
      throw new PurchaseUnderWay(`it failed once (${reason}): ${askAgain}`)
    },
  }
}

function belowGas(earned: bigint, gas: bigint): Problem {
  return new Problem({
    status: 403,
    slug: 'purchase-below-gas',
    title: 'Purchase below gas',
    detail: `this node would earn ${earned} base units, and gas costs it ${gas} now: pay by segments, or ask another holder`,
    members: { earned: String(earned), gas: String(gas) },
  })
}

function settlingData(track: Hash, node: Address, authorization: Authorization): string {
  const { from, value, validAfter, validBefore, nonce, signature } = authorization
  const { r, s, yParity } = strictSignature(signature)
  const signed = [from, value, validAfter, validBefore, nonce, 27 + yParity, r, s]
  return purchases.encodeFunctionData('settleWithAuthorization', [track, node, signed])
}
