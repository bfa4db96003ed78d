import type { Address, Hash } from '@hexachord/protocol/names'
import { type Shares, splitLine, unpackLines } from '@hexachord/protocol/payments'
import { getBytes } from 'ethers'

/** A voucher as it goes to the chain; `lines` packed, in hex. */
export type Claim = {
  readonly payer: Address
  readonly key: Address
  readonly base: bigint
  readonly cumulative: bigint
  readonly lines: string
  readonly signature: string
}

/** Of redeeming, rounded up from what was measured in the contracts' gas snapshots: a transaction, and in it a voucher
 * and a line of a track that nobody has paid for before. */
const [gasOfTransaction, gasOfVoucher, gasOfLine] = [30_000n, 30_000n, 32_000n]
/** Of a transaction with one voucher whose tracks have earned before, and of a line in it. */
const [gasOfOneAlone, gasOfLineAlone] = [51_000n, 14_500n]
/** Of a line among a thousand of the same tracks, its part of all the rest included. */
const gasOfLineInCompany = 4_500n
const [lineDigits, trackDigits] = [128, 64]

export function linesOf({ lines }: Pick<Claim, 'lines'>): number {
  return (lines.length - 2) / lineDigits
}

/** The most gas that a transaction with these vouchers takes. */
export function gasOf(claims: readonly Pick<Claim, 'lines'>[]): bigint {
  return claims.reduce((sum, claim) => sum + gasOfClaim(claim), gasOfTransaction)
}

/** The most gas that a voucher takes in a transaction. */
export function gasOfClaim(claim: Pick<Claim, 'lines'>): bigint {
  return gasOfVoucher + gasOfLine * BigInt(linesOf(claim))
}

/** What those of one listener take by themselves as a rule, so that they need not wait for others. */
export function gasAlone(claims: readonly Pick<Claim, 'lines'>[]): bigint {
  const others = gasOfVoucher * BigInt(claims.length - 1)
  return gasOfOneAlone + others + gasOfLineAlone * allLinesOf(claims)
}

/** What they take together with many others: what earns less than that is never worth it. */
export function gasInCompany(claims: readonly Pick<Claim, 'lines'>[]): bigint {
  return gasOfLineInCompany * allLinesOf(claims)
}

function allLinesOf(claims: readonly Pick<Claim, 'lines'>[]): bigint {
  return BigInt(claims.reduce((sum, claim) => sum + linesOf(claim), 0))
}

/** Whether one of its lines is for one of these tracks. */
export function paysFor({ lines }: Pick<Claim, 'lines'>, tracks: ReadonlySet<Hash>): boolean {
  for (let at = 2; at < lines.length; at += lineDigits) {
    if (tracks.has(`0x${lines.slice(at, at + trackDigits)}`)) return true
  }
  return false
}

/** What the node gets of a voucher's lines, in base units. */
export function nodeShareOf(
  { lines }: Pick<Claim, 'lines'>,
  termsOf: (track: Hash) => Shares | undefined,
): bigint {
  return unpackLines(getBytes(lines)).reduce((sum, line) => {
    const terms = termsOf(line.track)
    return terms === undefined ? sum : sum + splitLine(line, terms).node
  }, 0n)
}

/** What a transaction may take. */
export type BatchLimits = { readonly gas: bigint; readonly claims: number }

/** Whether vouchers have room in one transaction. */
export function isWithin(claims: readonly Pick<Claim, 'lines'>[], limits: BatchLimits): boolean {
  return claims.length <= limits.claims && gasOf(claims) <= limits.gas
}

/**
 * Puts vouchers into transactions that no block refuses, in their order.
 * @param groups vouchers that come into one transaction: those of a channel, one of which begins where another ends
 */
export function batchesOf<One extends Pick<Claim, 'lines'>>(
  groups: readonly (readonly One[])[],
  limits: BatchLimits,
): (readonly One[])[][] {
  const batches: (readonly One[])[][] = []
  for (const group of groups) {
    const batch = batches.at(-1)
    if (batch !== undefined && isWithin([...batch, group].flat(), limits)) batch.push(group)
    else batches.push([group])
  }
  return batches
}
