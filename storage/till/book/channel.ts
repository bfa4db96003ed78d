import type { Address, Hash } from '@hexachord/protocol/names'
import type { BookRecord, KeptVoucher } from './records.ts'
import type { Session } from './session.ts'
import { addedByTrack, type Lines, readLines, type Voucher } from './vouchers.ts'

/** What a till knows of what a key may spend for a payer. Only `applyTo…` change it. */
export type Channel = {
  readonly payer: Address
  readonly key: Address
  /** Where the next voucher begins. */
  base: bigint
  /** The newest voucher since `base`. */
  last: Voucher | undefined
  /** Where `last` needs a reserve that no final block has: the newest one before it that does not, as far as was seen when
   * `last` came. Redeemed should that reserve never come, or a reorganisation take it away. */
  sure: Voucher | undefined
  /** The voucher that ends at `base`, until the chain has it. */
  frozen: Voucher | undefined
  /** What was `sure` when that was frozen: redeemed in its place should the chain lose the reserve that it needs. */
  instead: Voucher | undefined
  /** What was paid for a track and is not spent, in all of the channel's life. Below zero only where the till served on
   * a reserve that never came. */
  readonly credits: Map<Hash, bigint>
  /** A signed reserve that counts before the chain has it, and the units that were served on it. */
  awaited: { readonly total: bigint; readonly untilMs: number; units: number } | undefined
  readonly sessions: Set<Session>
}

type Of<Kind extends BookRecord['do']> = Extract<BookRecord, { do: Kind }>

export function newChannel(payer: Address, key: Address, base: bigint): Channel {
  return {
    ...{ payer, key, base, credits: new Map(), sessions: new Set() },
    ...{ last: undefined, sure: undefined, frozen: undefined, instead: undefined, awaited: undefined },
  }
}

/** Whether nothing would be lost with it. */
export function isEmpty({ last, frozen, credits, sessions }: Channel): boolean {
  return last === undefined && frozen === undefined && credits.size === 0 && sessions.size === 0
}

/** @param read the lines, where they have been read already */
export function applyPayment(channel: Channel, record: Of<'pay'>, read?: Lines): void {
  const { last } = channel
  const packed = (last?.packed.slice(0, record.kept) ?? '') + record.lines
  const lines = read ?? readLines(packed)
  for (const [track, more] of addedByTrack(last?.lines, lines)) addCredit(channel, track, more)
  if (!record.beyond) channel.sure = undefined
  else if (channel.sure === undefined || record.keepsLast) channel.sure = last
  const cumulative = BigInt(record.cumulative)
  channel.last = { base: channel.base, cumulative, packed, lines, signature: record.signature }
}

/** Frozen lines are paid for good; what `last` had beyond them is not. With what is redeemed instead of a frozen voucher,
 * what that had beyond it, and all that followed, is not paid either. */
export function applyFreeze(channel: Channel, { which }: Of<'freeze'>): void {
  const { last, sure, instead } = channel
  if (which === 'instead') {
    if (instead === undefined) return
    takeBack(channel, instead.lines, channel.frozen?.lines)
    takeBack(channel, undefined, last?.lines)
    Object.assign(channel, { frozen: instead, base: instead.cumulative })
    Object.assign(channel, { last: undefined, sure: undefined, instead: undefined })
    return
  }
  const frozen = which === 'last' ? last : sure
  if (frozen === undefined || last === undefined) return
  takeBack(channel, frozen.lines, last.lines)
  Object.assign(channel, { frozen, base: frozen.cumulative, last: undefined, sure: undefined })
  channel.instead = which === 'last' ? sure : undefined
}

/** Takes the credit of what lines have beyond others. */
function takeBack(channel: Channel, kept: Lines | undefined, lost: Lines | undefined): void {
  if (lost === undefined) return
  for (const [track, more] of addedByTrack(kept, lost)) addCredit(channel, track, -more)
}

/** What is settled at `base` is what was frozen. At another place, past what was settled before, somebody redeemed what this
 * book does not know: the channel begins anew there, and neither side owes the other anything. */
export function applySettlement(channel: Channel, { amount }: Of<'settle'>): void {
  const settled = BigInt(amount)
  if (!isNews(channel, settled)) return
  channel.frozen = undefined
  channel.instead = undefined
  if (settled === channel.base) return
  Object.assign(channel, { base: settled, last: undefined, sure: undefined })
  channel.credits.clear()
}

/** Whether it changes a channel that it is settled so far. What is frozen can be redeemed only where it begins. */
export function isNews({ base, frozen }: Channel, settled: bigint): boolean {
  return frozen === undefined ? settled > base : settled > frozen.base
}

export function addCredit(channel: Channel, track: Hash, more: bigint): void {
  const credit = (channel.credits.get(track) ?? 0n) + more
  if (credit === 0n) channel.credits.delete(track)
  else channel.credits.set(track, credit)
}

export function channelRecord(channel: Channel): Of<'channel'> {
  const { payer, key, base, last, sure, frozen, instead, credits, awaited } = channel
  return {
    ...{ do: 'channel', payer, key, base: String(base) },
    ...{ last: keep(last), sure: keep(sure), frozen: keep(frozen), instead: keep(instead) },
    credits: [...credits].map(([track, credit]) => [track, String(credit)]),
    awaited: awaited === undefined ? null : { ...awaited, total: String(awaited.total) },
  }
}

export function channelOf({ payer, key, base, awaited, credits, ...record }: Of<'channel'>): Channel {
  return {
    ...newChannel(payer, key, BigInt(base)),
    ...{ last: kept(record.last), sure: kept(record.sure), frozen: kept(record.frozen) },
    instead: kept(record.instead ?? null),
    credits: new Map(credits.map(([track, credit]) => [track, BigInt(credit)])),
    awaited: awaited === null ? undefined : { ...awaited, total: BigInt(awaited.total) },
  }
}

function keep(voucher: Voucher | undefined): KeptVoucher | null {
  if (voucher === undefined) return null
  const { base, cumulative, packed, signature } = voucher
  return { base: String(base), cumulative: String(cumulative), lines: packed, signature }
}

function kept(voucher: KeptVoucher | null): Voucher | undefined {
  if (voucher === null) return undefined
  const { base, cumulative, lines, signature } = voucher
  return {
    ...{ base: BigInt(base), cumulative: BigInt(cumulative), signature },
    ...{ packed: lines, lines: readLines(lines) },
  }
}

export function reserveOf({ total, untilMs, units }: Of<'await'>): Channel['awaited'] {
  return { total: BigInt(total), untilMs, units }
}
