import { type Line, type SentVoucher, unpackLines } from '@hexachord/protocol/payments'
import { getBytes } from 'ethers'
import type { Part } from './purse.ts'

type Units = ReadonlyMap<number, unknown>

/** Units that are waited for, and the one that will be asked for next: nothing is ahead of the last one. */
export function unitsToPay(
  units: number,
  { waiting, asked, offer }: { waiting: Units; asked: Units; offer: { readonly previewUnits: number } },
): { due: number[]; ahead: number[] } {
  const due = [...waiting.keys()].sort((one, other) => one - other)
  const next = Math.max(offer.previewUnits - 1, ...asked.keys()) + 1
  return { due, ahead: next < units ? [next] : [] }
}

/** What each unit is of an amount; what a till lost or kept goes with the last. */
export function partsOf(units: readonly number[], amount: bigint, price: bigint): Part[] {
  let left = amount
  return units.toReversed().flatMap((unit, index) => {
    const part = index === units.length - 1 || left < price ? left : price
    left -= part
    return part > 0n ? [{ unit, amount: part }] : []
  })
}

export function linesOf(voucher: SentVoucher): Line[] {
  return unpackLines(getBytes(voucher.lines))
}
