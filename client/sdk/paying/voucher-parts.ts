import { type Line, type SentVoucher, unpackLines } from '@hexachord/protocol/payments'
import { getBytes } from 'ethers'
import type { Part } from './purse.ts'

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
