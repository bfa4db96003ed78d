import type { Address, Hash } from '@hexachord/protocol/names'
import type { SentVoucher } from '@hexachord/protocol/payments'
import type { Channel } from './channel.ts'
import { addedByTrack, type Lines, lineDigits, readLines, trackOfPlace, VoucherRefused } from './vouchers.ts'

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
 * `protocol/payments`, with which a test compares this. Beyond that no line is there twice or shrinks, and a new one buys a unit.
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
  if (2 + lines.size * lineDigits !== sent.lines.length) {
    throw new VoucherRefused('LineRepeated', 'two of its lines are for the same track and curator')
  }
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

/**
 * Each new line costs its node gas, and so has to buy at least one unit more than there was money for without it. What a
 * track's credit lacks to a whole unit is enough for that: such as what is left to pay after a change of the price.
 */
function requireSold({ last, credits }: Channel, lines: Lines, { priceOf }: Judgement): void {
  if (lines.size === last?.lines.size) return
  const added = addedByTrack(last?.lines, lines)
  const before = (place: string) => last?.lines.has(place) ?? false
  const fresh = [...lines].filter(([place]) => !before(place))
  for (const [track, places] of Map.groupBy(fresh, ([place]) => trackOfPlace(place))) {
    const price = priceOf(track)
    if (price === undefined || price === 0n) {
      throw new VoucherRefused('TrackNotSold', `track ${track} is not sold here`)
    }
    const total = (credits.get(track) ?? 0n) + (added.get(track) ?? 0n)
    const tooSmall = () =>
      new VoucherRefused('LineTooSmall', `a unit of ${track} costs ${price}, and a line of it is less`)
    // What the till is owed comes first.
    if (total < price) throw tooSmall()
    let credit = places.reduce((sum, [, amount]) => sum - amount, total)
    if (credit < 0n) credit = 0n
    for (const [, amount] of places) {
      const units = credit / price
      credit += amount
      if (credit / price === units) throw tooSmall()
    }
  }
}
