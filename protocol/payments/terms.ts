import { ZeroAddress } from 'ethers'
import type { Address } from '../names/index.ts'

/** Largest amount that a channel or a line can carry, in base units of the payment token. */
export const largestAmount = 2n ** 96n - 1n
/** What a price is for: this much of a track's time. */
export const unitMs = 6_000
/** How long a change of terms waits; TrackRegistry has the same. */
export const termsDelaySeconds = 7 * 24 * 3600

export const wholeBps = 10_000n
const [leastNodeBps, mostNodeBps, mostCuratorBps, mostPayees] = [500, 4_000, 500, 16]

/** Shares that are taken from a line before its track's payees, in basis points. */
export type Shares = { readonly nodeBps: number; readonly curatorBps: number }

/** What the rights holder of a track asks for. */
export type Terms = Shares & {
  /** For a unit of 6,000 ms, in base units of the payment token; zero for a free track. */
  readonly unitPrice: bigint
  /** Who share what node and curator leave. */
  readonly payees: readonly Address[]
  /** Their shares in basis points, in the same order, together 10,000. */
  readonly payeeBps: readonly number[]
}

export type TermsFault =
  | 'TrackNodeShareOutOfBounds'
  | 'TrackCuratorShareTooLarge'
  | 'TrackPayeesMalformed'
  | 'TrackPayeeEmpty'
  | 'TrackSharesNotWhole'

/** Terms that TrackRegistry refuses, with the name of its error. */
export class TermsError extends Error {
  override readonly name = 'TermsError'
  readonly fault: TermsFault
  constructor(fault: TermsFault, message: string) {
    super(message)
    this.fault = fault
  }
}

/** Holds terms against the bounds of TrackRegistry. @throws TermsError */
export function checkTerms({ nodeBps, curatorBps, payees, payeeBps }: Terms): void {
  if (nodeBps < leastNodeBps || nodeBps > mostNodeBps) {
    throw new TermsError(
      'TrackNodeShareOutOfBounds',
      `the share of the node is ${leastNodeBps} to ${mostNodeBps} basis points`,
    )
  }
  if (curatorBps > mostCuratorBps) {
    throw new TermsError(
      'TrackCuratorShareTooLarge',
      `the share of the curator is at most ${mostCuratorBps} basis points`,
    )
  }
  if (payees.length === 0 || payees.length > mostPayees || payees.length !== payeeBps.length) {
    throw new TermsError('TrackPayeesMalformed', `there are 1 to ${mostPayees} payees, and a share for each`)
  }
  if (payees.some((payee) => payee === ZeroAddress) || payeeBps.includes(0)) {
    throw new TermsError('TrackPayeeEmpty', 'every payee has an address and a share')
  }
  if (payeeBps.reduce((sum, bps) => sum + bps, 0) !== Number(wholeBps)) {
    throw new TermsError('TrackSharesNotWhole', 'the shares of the payees are 10,000 together')
  }
}
