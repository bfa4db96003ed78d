import type { Address, Hash } from '@hexachord/protocol/names'
import type { SentVoucher, VoucherFault } from '@hexachord/protocol/payments'

/** Why a till does not take a voucher: as the contract would refuse it, or by a rule of its own. */
export type RefusalFault =
  | VoucherFault
  /** It is of another payer than the session. */
  | 'PayerDiffers'
  /** It gives a line less than the last one did. */
  | 'LineShrunk'
  /** Two of its lines are for the same track and curator: the chain takes gas for each. */
  | 'LineRepeated'
  /** It pays for a track that nobody sells, that costs nothing, or that gives this node too little. */
  | 'TrackNotSold'
  /** A new line does not buy a unit by itself: each costs its node the gas of redeeming it. */
  | 'LineTooSmall'

/** A voucher that changes nothing; `fault` names why. */
export class VoucherRefused extends Error {
  override readonly name = 'VoucherRefused'
  readonly fault: RefusalFault
  constructor(fault: RefusalFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}

/** What each of a voucher's lines pays, by track and curator in hex without `0x`, in the order in which they stand. */
export type Lines = ReadonlyMap<string, bigint>

/** A voucher that was accepted. */
export type Voucher = {
  readonly base: bigint
  readonly cumulative: bigint
  /** Packed, in hex with `0x`. */
  readonly packed: string
  readonly lines: Lines
  readonly signature: string
}

/** Of a packed line, in hex. */
export const lineDigits = 128
const [placeDigits, trackDigits] = [104, 64]

/**
 * Reads lines that are whole, as their schema has seen; lines for the same become one, since journals of before have such.
 * @param before what was read before them: most stand where they stood, and names that are known need no hashing
 * @throws VoucherRefused
 */
export function readLines(packed: string, before?: Lines): Lines {
  const lines = new Map<string, bigint>()
  const known = before?.keys()
  for (let at = 2; at < packed.length; at += lineDigits) {
    const stood = known?.next().value
    const stands = stood !== undefined && packed.startsWith(stood, at)
    const place = stands ? stood : copied(packed.slice(at, at + placeDigits))
    const amount = BigInt(`0x${packed.slice(at + placeDigits, at + lineDigits)}`)
    if (amount === 0n) throw new VoucherRefused('StreamAmountZero', 'a line of it pays nothing')
    lines.set(place, (lines.get(place) ?? 0n) + amount)
  }
  return lines
}

/** A part of a text that does not keep the whole in memory, as V8's slices do. */
function copied(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** The track of a key of `Lines`. */
export function trackOfPlace(place: string): Hash {
  return `0x${place.slice(0, trackDigits)}`
}

export function sentVoucher(payer: Address, { base, cumulative, packed, signature }: Voucher): SentVoucher {
  return { payer, base, cumulative, lines: packed, signature }
}

/** What a voucher adds to the one before it, by track. */
export function addedByTrack(before: Lines | undefined, after: Lines): Map<Hash, bigint> {
  const added = new Map<Hash, bigint>()
  for (const [place, amount] of after) {
    const more = amount - (before?.get(place) ?? 0n)
    if (more === 0n) continue
    const track = trackOfPlace(place)
    added.set(track, (added.get(track) ?? 0n) + more)
  }
  return added
}

/** Digits that two texts have in common at their beginning. */
export function commonDigits(before: string, after: string): number {
  const most = Math.min(before.length, after.length)
  let at = 0
  // Most of it stands, and texts are compared much faster than their digits one by one.
  while (at + lineDigits <= most && after.startsWith(before.slice(at, at + lineDigits), at)) at += lineDigits
  while (at < most && before.charCodeAt(at) === after.charCodeAt(at)) at += 1
  return at
}
