import { bigintField, type Rpc, refusal, type Sender } from '@hexachord/platform/chain'
import type { Logger } from '@hexachord/platform/process'
import type { Address, Hash } from '@hexachord/protocol/names'
import { id as hashOf } from 'ethers'
import { crowdedLines } from '../book/index.ts'
import type { FollowedPayments } from './follow-payments.ts'
import { escrowInterface } from './payment-logs.ts'
import type { TillTables } from './till-tables.ts'
import {
  type BatchLimits,
  batchesOf,
  type Claim,
  gasAlone,
  gasInCompany,
  gasOf,
  isWithin,
  linesOf,
  nodeShareOf,
  paysFor,
} from './worth.ts'

/** A voucher in the book; `packed` are its lines, in hex. */
type BookedVoucher = {
  readonly base: bigint
  readonly cumulative: bigint
  readonly packed: string
  readonly signature: string
}

/** What redeeming needs of the till's book. */
export type RedeemableBook = {
  channels(): Iterable<{
    readonly payer: Address
    readonly key: Address
    readonly last: BookedVoucher | undefined
    /** Each begins where the one before ends. */
    readonly frozen: readonly BookedVoucher[]
  }>
  /** Ends the vouchers of a channel at one that can be redeemed after those that are frozen. */
  freeze(payer: Address, key: Address): unknown
  /** Takes what is surely covered in place of a frozen voucher whose reserve the chain has lost. */
  fallBack(payer: Address, key: Address): unknown
  /** Tells up to where a channel is settled, once no reorganisation will undo it. */
  settled(payer: Address, key: Address, amount: bigint): unknown
}

export type Redeemer = {
  /** Freezes what is due, and sends what is frozen and worth it. Rounds of one redeemer must not overlap.
   * @throws what the chain's node gives */
  round(): Promise<void>
}

/** Vouchers of one channel in the order in which the chain takes them, all or none. */
type Group = readonly Claim[]

/** Between two tries of a voucher that was refused: each costs the chain's node a call for all of its transaction. */
const restMs = 30_000
/**
 * Lines are split by the terms in force when they are redeemed. What was heard before a change is therefore redeemed from
 * so long before it on: a seventh of the time that a change waits, and longer than a chain is away.
 */
const changeMarginMs = 24 * 3_600_000
/** A channel is not frozen again for a change before this: owners may announce as many as they like. */
const changeRestMs = 6 * 3_600_000
/** Between looks for changes: each goes through the lines of all channels. */
const changeLookMs = 10 * 60_000
/** A round number well below what a transaction may take (EIP-7825: 16.8 million). */
const defaultLimits = { gas: 12_000_000n, claims: 200 }

/**
 * Redeems by the hot key: when half of a reserve is owed, at once when a payer asks for its reserve back, before the terms
 * of what was heard change, and all of it every `everyMs`.
 */
export function createRedeemer(options: {
  book: RedeemableBook
  view: Pick<FollowedPayments, 'termsOf' | 'channel' | 'finalChannel' | 'changing'>
  tables: TillTables
  /** Of the operator's hot key. */
  sender: Pick<Sender, 'address' | 'enqueue' | 'status'>
  rpc: Pick<Rpc, 'call'>
  escrow: Address
  operator: Address
  everyMs: number
  /** What gas costs, in wei. */
  gasPrice: () => Promise<bigint>
  /** What a base unit of the payment token is worth, in wei; zero to let gas cost nothing. */
  weiPerUnit: bigint
  /** What a transaction that is final has cost, in wei. */
  costOf: (hash: string) => Promise<bigint>
  logger: Logger
  /** Unix time in ms. */
  now: () => number
  /** Of one transaction. */
  limits?: BatchLimits
}): Redeemer {
  const { book, view, tables, sender, escrow, operator, weiPerUnit, logger, now } = options
  const limits = options.limits ?? defaultLimits
  if (tables.scheduledAt() === undefined) tables.setScheduledAt(now())
  const complained = new Set<string>()
  /** Channels whose vouchers were refused, and until when they are left alone. */
  const resting = new Map<string, number>()
  /** Channels that were frozen for a change of terms, and when. */
  const frozenForChange = new Map<string, number>()
  let changesLookedAt = Number.NEGATIVE_INFINITY

  /** Says once of each voucher why it is not redeemed. */
  function complain({ payer, key, base, cumulative }: Claim, reason: string): void {
    const about = `${payer} ${key} ${cumulative} ${reason}`
    if (complained.has(about)) return
    if (complained.size >= 1_000) complained.clear()
    complained.add(about)
    logger.warn({ payer, key, base, cumulative, reason }, 'a voucher is not redeemed')
  }

  /** Whether what the node earns by vouchers is more than the gas that they take. */
  function isWorth(claims: readonly Pick<Claim, 'lines'>[], gas: bigint, gasPrice: bigint): boolean {
    if (weiPerUnit === 0n) return true
    const earned = claims.reduce((sum, claim) => sum + nodeShareOf(claim, view.termsOf), 0n)
    return earned * weiPerUnit > gas * gasPrice
  }

  /** What became of the transactions that were sent. @returns channels that are still in one */
  async function settle(): Promise<Set<string>> {
    const inFlight = new Set<string>()
    for (const { id, claims } of tables.redemptions()) {
      const status = sender.status(id)
      if (status?.state !== 'final' && status?.state !== 'failed') {
        for (const { payer, key } of claims) inFlight.add(payer + key)
        continue
      }
      const cost = status.hash === null ? 0n : await options.costOf(status.hash)
      if (status.state === 'failed') logger.error({ id, reason: status.reason }, 'a redemption failed')
      else for (const { payer, key, cumulative } of claims) await book.settled(payer, key, cumulative)
      const redeemed = claims.reduce((sum, { base, cumulative }) => sum + cumulative - base, 0n)
      tables.transaction(() => {
        tables.removeRedemption(id)
        tables.addTotal('gasWei', cost)
        if (status.state === 'final') tables.addTotal('redeemed', redeemed)
      })
    }
    return inFlight
  }

  /** Tracks whose terms change soon, now and then; none in between. */
  function lookForChanges(): ReadonlySet<Hash> {
    if (now() - changesLookedAt < changeLookMs) return new Set()
    changesLookedAt = now()
    for (const [channel, at] of frozenForChange) {
      if (now() - at >= changeRestMs) frozenForChange.delete(channel)
    }
    return new Set(view.changing(changeMarginMs))
  }

  /** Freezes what is due. Where one is frozen already that was not worth its gas, both go together or not at all. */
  async function freezeDue(inFlight: ReadonlySet<string>, gasPrice: bigint): Promise<void> {
    const changing = lookForChanges()
    const isScheduled = now() - (tables.scheduledAt() ?? 0) >= options.everyMs
    for (const channel of book.channels()) {
      const { payer, key, last } = channel
      if (inFlight.has(payer + key)) continue
      const { reserved, released, releasing, settled } = view.channel(payer, key)
      if (channel.frozen.some(({ cumulative }) => cumulative > reserved - released)) {
        // A reserve that a reorganisation took away is waited for, as long as its payer takes nothing back.
        if (isScheduled || releasing > 0n) await book.fallBack(payer, key)
        continue
      }
      if (last === undefined) continue
      const claim = claimOf(payer, key, last)
      const waiting = channel.frozen.map((voucher) => claimOf(payer, key, voucher))
      const isHalf = (last.cumulative - settled) * 2n >= reserved - released - settled
      const isFull = waiting.length > 0 && linesOf(claim) >= crowdedLines
      const isChanging = changing.size > 0 && !frozenForChange.has(payer + key) && paysFor(claim, changing)
      if (!isScheduled && !isHalf && !isFull && releasing === 0n && !isChanging) continue
      // What goes by itself does not make up for what follows.
      const isHeldUp = waiting.length > 0 && !isWorth(waiting, gasInCompany(waiting), gasPrice)
      const judged = isHeldUp ? [...waiting, claim] : [claim]
      // Whoever is about to take the reserve back leaves no time for more.
      const gas = releasing > 0n ? gasInCompany(judged) : gasAlone(judged)
      if (isWorth(judged, gas, gasPrice)) {
        if (isChanging) frozenForChange.set(payer + key, now())
        await book.freeze(payer, key)
      } else if (releasing > 0n) complain(claim, 'it earns less than its gas')
    }
    if (isScheduled) tables.setScheduledAt(now())
  }

  /** Frozen vouchers that the chain would take now, as far as is known here. */
  async function redeemable(inFlight: ReadonlySet<string>, gasPrice: bigint): Promise<Group[]> {
    const groups: Group[] = []
    for (const { payer, key, frozen } of book.channels()) {
      const all = frozen.map((voucher) => claimOf(payer, key, voucher))
      const [oldest] = all
      if (oldest === undefined || inFlight.has(payer + key)) continue
      const { settled } = view.channel(payer, key)
      if (settled > oldest.base) {
        // By the operator's own account, or before this till lost what it knew. A reorganisation may still undo it.
        const final = view.finalChannel(payer, key).settled
        if (final <= oldest.base) continue
        if (!all.some(({ cumulative }) => cumulative === final))
          complain(oldest, `somebody else redeemed up to ${final}: run one till`)
        await book.settled(payer, key, final)
        resting.delete(payer + key)
      } else if ((resting.get(payer + key) ?? 0) > now()) continue
      else {
        const group = beginningsOf(all).find(
          (some) => isWithin(some, limits) && isWorth(some, gasInCompany(some), gasPrice),
        )
        if (group !== undefined) groups.push(group)
        else complain(oldest, 'it earns less than its gas')
      }
    }
    return groups
  }

  const dataOf = (claims: readonly Claim[]) =>
    escrowInterface.encodeFunctionData('redeem', [operator, claims])

  /** Why the chain would not take these together, or null. */
  function refusalOf(claims: readonly Claim[]): Promise<string | null> {
    const call = { from: sender.address, to: escrow, data: dataOf(claims) }
    return refusal(options.rpc, call, 'latest', [escrowInterface])
  }

  function rest(group: Group, reason: string): void {
    for (const claim of group) {
      complain(claim, reason)
      resting.set(claim.payer + claim.key, now() + restMs)
    }
  }

  /** Those that the chain would take: all together, or of each channel what it would take alone. */
  async function accepted(groups: readonly Group[], gasPrice: bigint): Promise<readonly Group[]> {
    if ((await refusalOf(groups.flat())) === null) return groups
    const taken: Group[] = []
    for (const group of groups) {
      const some = await acceptedOf(group, gasPrice)
      if (some !== undefined) taken.push(some)
    }
    return taken
  }

  async function acceptedOf(group: Group, gasPrice: bigint): Promise<Group | undefined> {
    const reason = await refusalOf(group)
    if (reason === null) return group
    for (const some of beginningsOf(group).slice(1)) {
      if (isWorth(some, gasInCompany(some), gasPrice) && (await refusalOf(some)) === null) return some
    }
    rest(group, reason)
    return undefined
  }

  /**
   * Those that together earn more than the chain says they take, which depends on what their tracks have earned before: or
   * else those that do by themselves, so that nobody's are held up by what others owe.
   */
  async function worthIt(groups: readonly Group[], gasPrice: bigint): Promise<readonly Group[]> {
    if (weiPerUnit === 0n || groups.length === 0) return groups
    if (isWorth(groups.flat(), await estimateOf(groups.flat()), gasPrice)) return groups
    const worth: Group[] = []
    for (const group of groups) {
      const some = await worthAlone(group, gasPrice)
      if (some !== undefined) worth.push(some)
      else rest(group, 'it earns less than its gas')
    }
    return worth
  }

  async function worthAlone(group: Group, gasPrice: bigint): Promise<Group | undefined> {
    for (const some of beginningsOf(group)) {
      if (isWorth(some, gasOf(some), gasPrice)) return some
      if (!isWorth(some, gasInCompany(some), gasPrice)) continue
      if (isWorth(some, await estimateOf(some), gasPrice)) return some
    }
    return undefined
  }

  async function estimateOf(claims: readonly Claim[]): Promise<bigint> {
    const call = { from: sender.address, to: escrow, data: dataOf(claims) }
    return bigintField(await options.rpc.call('eth_estimateGas', [call]), 'gas')
  }

  function send(claims: readonly Claim[]): void {
    const data = dataOf(claims)
    const id = `redemption ${hashOf(data)} ${now()}`
    tables.transaction(() => {
      tables.addRedemption({ id, claims })
      sender.enqueue({ id, to: escrow, data })
    })
    const amount = claims.reduce((sum, { base, cumulative }) => sum + cumulative - base, 0n)
    logger.info({ id, vouchers: claims.length, amount }, 'redeeming')
  }

  return {
    async round() {
      const inFlight = await settle()
      const gasPrice = weiPerUnit === 0n ? 0n : await options.gasPrice()
      await freezeDue(inFlight, gasPrice)
      const groups = await redeemable(inFlight, gasPrice)
      for (const batch of batchesOf(groups, limits)) {
        const good = await worthIt(await accepted(batch, gasPrice), gasPrice)
        if (good.length > 0) send(good.flat())
      }
    },
  }
}

function claimOf(payer: Address, key: Address, voucher: BookedVoucher): Claim {
  const { base, cumulative, packed: lines, signature } = voucher
  return { payer, key, base, cumulative, lines, signature }
}

/** All of them, all but the last, and so on. */
function beginningsOf(group: Group): Group[] {
  return group.map((_, index) => group.slice(0, group.length - index))
}
