import type { Address, Hash } from '@hexachord/protocol/names'
import type { BookRecord, KeptFrozen, KeptVoucher } from './records.ts'
import type { Session } from './session.ts'
import { addedByTrack, type Lines, readLines, type Voucher } from './vouchers.ts'

/** A voucher that ends what was paid until then. */
export type Frozen = Voucher & {
  /** What was `sure` when it was frozen: redeemed in its place should the chain lose the reserve that it needs. */
  readonly instead: Voucher | undefined
}

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
  /** Vouchers that go before, until the chain has them: each begins where the one before ends, and the last ends at `base`.
   * The chain takes them in this order alone. */
  frozen: readonly Frozen[]
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
    ...{ last: undefined, sure: undefined, frozen: [], awaited: undefined },
  }
}

/** Whether nothing would be lost with it. */
export function isEmpty({ last, frozen, credits, sessions }: Channel): boolean {
  return last === undefined && frozen.length === 0 && credits.size === 0 && sessions.size === 0
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

/** Frozen lines are paid for good; what `last` had beyond them is not. */
export function applyFreeze(channel: Channel, { which }: Of<'freeze'>): void {
  const { last, sure } = channel
  const ended = which === 'last' ? last : sure
  if (ended === undefined || last === undefined) return
  takeBack(channel, ended.lines, last.lines)
  const frozen = [...channel.frozen, { ...ended, instead: which === 'last' ? sure : undefined }]
  Object.assign(channel, { frozen, base: ended.cumulative, last: undefined, sure: undefined })
}

/** What a frozen voucher had beyond the one that is redeemed instead, and all that followed it, is not paid. */
export function applyFallBack(channel: Channel, { place }: Of<'fallBack'>): void {
  const lost = channel.frozen[place]
  if (lost?.instead === undefined) return
  takeBack(channel, lost.instead.lines, lost.lines)
  for (const { lines } of channel.frozen.slice(place + 1)) takeBack(channel, undefined, lines)
  takeBack(channel, undefined, channel.last?.lines)
  const frozen = [...channel.frozen.slice(0, place), { ...lost.instead, instead: undefined }]
  Object.assign(channel, { frozen, base: lost.instead.cumulative, last: undefined, sure: undefined })
}

/** Takes the credit of what lines have beyond others. */
function takeBack(channel: Channel, kept: Lines | undefined, lost: Lines | undefined): void {
  if (lost === undefined) return
  for (const [track, more] of addedByTrack(kept, lost)) addCredit(channel, track, -more)
}

/** What is settled where a frozen voucher ends is that one, and those before it. At another place, past what was settled
 * before, somebody redeemed what this book does not know: the channel begins anew there, and neither side owes the other
 * anything. */
export function applySettlement(channel: Channel, { amount }: Of<'settle'>): void {
  const settled = BigInt(amount)
  if (!isNews(channel, settled)) return
  const ended = channel.frozen.findIndex(({ cumulative }) => cumulative === settled)
  if (ended >= 0) {
    channel.frozen = channel.frozen.slice(ended + 1)
    return
  }
  Object.assign(channel, { base: settled, last: undefined, sure: undefined, frozen: [] })
  channel.credits.clear()
}

/** Whether it changes a channel that it is settled so far. What is frozen can be redeemed only where it begins. */
export function isNews({ base, frozen }: Channel, settled: bigint): boolean {
  return settled > (frozen[0]?.base ?? base)
}

export function addCredit(channel: Channel, track: Hash, more: bigint): void {
  const credit = (channel.credits.get(track) ?? 0n) + more
  if (credit === 0n) channel.credits.delete(track)
  else channel.credits.set(track, credit)
}

export function channelRecord(channel: Channel): Of<'channel'> {
  const { payer, key, base, last, sure, frozen, credits, awaited } = channel
  return {
    ...{ do: 'channel', payer, key, base: String(base) },
    ...{ last: last ? keep(last) : null, sure: sure ? keep(sure) : null, frozen: frozen.map(keepFrozen) },
    credits: [...credits].map(([track, credit]) => [track, String(credit)]),
    awaited: awaited === undefined ? null : { ...awaited, total: String(awaited.total) },
  }
}

export function channelOf({ payer, key, base, awaited, credits, ...record }: Of<'channel'>): Channel {
  return {
    ...newChannel(payer, key, BigInt(base)),
    ...{
      last: record.last ? kept(record.last) : undefined,
      sure: record.sure ? kept(record.sure) : undefined,
    },
    frozen: [record.frozen ?? []].flat().map(keptFrozen),
    credits: new Map(credits.map(([track, credit]) => [track, BigInt(credit)])),
    awaited: awaited === null ? undefined : { ...awaited, total: BigInt(awaited.total) },
  }
}

function keepFrozen({ instead, ...voucher }: Frozen): KeptFrozen {
  return { ...keep(voucher), ...(instead === undefined ? {} : { instead: keep(instead) }) }
}

function keptFrozen({ instead, ...voucher }: KeptFrozen): Frozen {
  return { ...kept(voucher), instead: instead && kept(instead) }
}

function keep({ base, cumulative, packed, signature }: Voucher): KeptVoucher {
  return { base: String(base), cumulative: String(cumulative), lines: packed, signature }
}

function kept({ base, cumulative, lines, signature }: KeptVoucher): Voucher {
  return {
    ...{ base: BigInt(base), cumulative: BigInt(cumulative), signature },
    ...{ packed: lines, lines: readLines(lines) },
  }
}

export function reserveOf({ total, untilMs, units }: Of<'await'>): Channel['awaited'] {
  return { total: BigInt(total), untilMs, units }
}
