import { ZeroAddress } from 'ethers'
import type { Address } from '../names/index.ts'
import { type Shares, wholeBps } from './terms.ts'

/** Whose is which part of a line, in base units; together its amount. */
export type LineSplit = { readonly node: bigint; readonly curator: bigint; readonly track: bigint }

/** Splits a line as StreamEscrow does: node and curator get their shares rounded down, the track gets the rest. */
export function splitLine(line: { amount: bigint; curator: Address }, shares: Shares): LineSplit {
  const node = shareOf(line.amount, shares.nodeBps)
  const curator = line.curator === ZeroAddress ? 0n : shareOf(line.amount, shares.curatorBps)
  return { node, curator, track: line.amount - node - curator }
}

/**
 * What each payee gets when the earnings of a track have grown from `before` to `total` since they were last split. Shares
 * are of the whole, rounded down, in turn and while there is something, and the first payee gets what is left: how often
 * it is split makes no difference, but for single units where there are fewer to split than payees.
 * @returns amounts in the order of the payees; together `total - before`
 */
export function shareOut(total: bigint, before: bigint, payeeBps: readonly number[]): bigint[] {
  let left = total - before
  const others = payeeBps.slice(1).map((bps) => {
    const due = shareOf(total, bps) - shareOf(before, bps)
    const amount = due < left ? due : left
    left -= amount
    return amount
  })
  return [left, ...others]
}

function shareOf(amount: bigint, bps: number): bigint {
  return (amount * BigInt(bps)) / wholeBps
}
