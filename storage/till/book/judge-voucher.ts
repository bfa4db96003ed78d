import type { Address, Hash } from '@hexachord/protocol/names'
import type { SentVoucher } from '@hexachord/protocol/payments'
import type { Channel } from './channel.ts'
import { addedByTrack, type Lines, readLines, trackOfPlace, VoucherRefused } from './vouchers.ts'

/** What a voucher is held against beside its channel. */
export type Judgement = {
  /** Up to where vouchers are taken: what is reserved or awaited, less what was or is being released. */
  readonly limit: bigint
  /** What a track costs here, or undefined for one that is not sold here. */
  readonly priceOf: (track: Hash) => bigint | undefined
  /** Whose signature it carries. */
  readonly signer: Address | undefined
}

/**
 * Takes a voucher only if StreamEscrow would redeem it, now and after every other that was taken: see `checkVoucher` in
 * `protocol/payments`, with which a test compares this. Beyond that a line never shrinks, and a new one buys a unit.
 * @returns its lines, or undefined for one that is no newer than the last, and changes nothing
 * @throws VoucherRefused
 */
export function judgeVoucher(channel: Channel, sent: SentVoucher, judgement: Judgement): Lines | undefined {
  const { payer, base, last } = channel
  if (sent.payer !== payer)
    throw new VoucherRefused('PayerDiffers', 'it is of another payer than its session')
  if (sent.base !== base) {
    throw new VoucherRefused('StreamVoucherStale', `it begins at ${sent.base}, and has to begin at ${base}`)
  }
  if (last !== undefined && sent.cumulative <= last.cumulative) return undefined
  if (sent.cumulative > judgement.limit) {
    const detail = `it comes to ${sent.cumulative}; reserved here is ${judgement.limit}`
    throw new VoucherRefused('StreamReserveExceeded', detail)
  }
  const lines = readLines(sent.lines, last?.lines)
  requireSum(sent, lines)
  requireGrowth(last?.lines, lines)
  requireSold(channel, lines, judgement)
  if (judgement.signer !== channel.key) {
    throw new VoucherRefused('StreamReserveExceeded', 'it is not signed by the key of its session')
  }
  return lines
}

function requireSum({ base, cumulative }: SentVoucher, lines: Lines): void {
  if (lines.size === 0) throw new VoucherRefused('StreamLinesMalformed', 'it has no lines')
  let sum = 0n
  for (const amount of lines.values()) sum += amount
  if (base + sum !== cumulative) {
    throw new VoucherRefused('StreamLinesSum', `its lines are ${sum}, it adds ${cumulative - base}`)
  }
}

function requireGrowth(before: Lines | undefined, after: Lines): void {
  if (before === undefined) return
  for (const [place, amount] of before) {
    if ((after.get(place) ?? 0n) >= amount) continue
    throw new VoucherRefused('LineShrunk', `it takes back what was paid for ${trackOfPlace(place)}`)
  }
}

function requireSold({ last, credits }: Channel, lines: Lines, { priceOf }: Judgement): void {
  if (lines.size === last?.lines.size) return
  const added = addedByTrack(last?.lines, lines)
  for (const place of lines.keys()) {
    if (last?.lines.has(place)) continue
    const track = trackOfPlace(place)
    const price = priceOf(track)
    if (price === undefined) throw new VoucherRefused('TrackNotSold', `track ${track} is not sold here`)
    if ((credits.get(track) ?? 0n) + (added.get(track) ?? 0n) < price) {
      throw new VoucherRefused('LineTooSmall', `a unit of ${track} costs ${price}, and its line is less`)
    }
  }
}
