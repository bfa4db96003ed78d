import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { type Address, type Subject, subjectToBytes32 } from '../names/index.ts'
import type { Operator, OperatorSet } from '../operators/index.ts'

const weiPerToken = 10n ** 18n
const fractionBits = 48
/** From here on the square of a mantissa, which has 63 bits behind its point, is two or more. */
const twoSquared = 1n << 127n

/** Bytes that count for an operator: what it declares, at most what its stake answers for.
 * @param bytesPerToken bytes of weight per whole token of stake */
export function weightOf(operator: Operator, bytesPerToken: bigint): bigint {
  if (!operator.active) return 0n
  const covered = (operator.stakeWei * bytesPerToken) / weiPerToken
  return operator.capacityBytes < covered ? operator.capacityBytes : covered
}

/** Operators in the order in which they are to hold a track: weighted rendezvous hashing (Thaler and
 * Ravishankar 1998; weights as -w / ln u), each controller once, none without weight.
 * All arithmetic is on integers, so that every machine finds the same order. */
export function rankOperators(
  subject: Subject,
  operators: OperatorSet,
  bytesPerToken: bigint,
): readonly Operator[] {
  const subjectBytes = hexToBytes(subjectToBytes32(subject).slice(2))
  const scored = [...operators.values()].flatMap((operator) => {
    const weight = weightOf(operator, bytesPerToken)
    if (weight === 0n) return []
    return [{ operator, score: scoreOf(operator.operator, subjectBytes, weight) }]
  })
  scored.sort((a, b) =>
    a.score === b.score ? (a.operator.operator < b.operator.operator ? -1 : 1) : a.score > b.score ? -1 : 1,
  )
  const controllers = new Set<Address>()
  return scored.flatMap(({ operator }) => {
    if (controllers.has(operator.controller)) return []
    controllers.add(operator.controller)
    return [operator]
  })
}

/** weight / -log2(u) with u = hash / 2^64, as an integer in units of 2^-64. */
function scoreOf(operator: Address, subjectBytes: Uint8Array, weight: bigint): bigint {
  const digest = sha256(concatBytes(hexToBytes(operator.slice(2)), subjectBytes))
  const hash = new DataView(digest.buffer, digest.byteOffset).getBigUint64(0)
  const negativeLog = (64n << BigInt(fractionBits)) - log2(hash === 0n ? 1n : hash)
  return (weight << BigInt(fractionBits + 64)) / negativeLog
}

/** log2 of a positive integer below 2^64 in units of 2^-48, rounded down: the integer part is the bit
 * length, each further bit comes from squaring the mantissa. */
function log2(value: bigint): bigint {
  const integer = value.toString(2).length - 1
  let mantissa = value << BigInt(63 - integer)
  // Not as a big integer, of which each bit would make further ones.
  let fraction = 0
  for (let bit = 0; bit < fractionBits; bit++) {
    const square = mantissa * mantissa
    const carry = square >= twoSquared
    fraction = 2 * fraction + (carry ? 1 : 0)
    mantissa = square >> (carry ? 64n : 63n)
  }
  return (BigInt(integer) << BigInt(fractionBits)) + BigInt(fraction)
}
