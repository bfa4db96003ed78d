import { getAddress, hexlify, zeroPadValue } from 'ethers'
import * as z from 'zod'

/**
 * Names of the network. An address is text `0x` + 40 lower-case hex digits wherever JSON or a URL carries
 * it; a subject is what an action is about (a user, a track, a playlist):
 * author (20 bytes) ‖ number (uint96), written `0x<40 lower hex>-<number>`.
 */
export type Address = `0x${string}`
export type Subject = `0x${string}-${string}`
/** 32 bytes as `0x` + 64 lower-case hex digits. */
export type Hash = `0x${string}`

export const largestNumber = 2n ** 96n - 1n

/** The number under which every author keeps its own profile and its keys. */
export const userNumber = 0n

/** A name that does not have the form of a name. */
export class NameError extends Error {
  override readonly name = 'NameError'
}

const addressPattern = /^0x[0-9a-f]{40}$/
const subjectPattern = /^(0x[0-9a-f]{40})-(0|[1-9][0-9]{0,28})$/
/** Where the number of a subject begins. */
const numberStart = 43
const longestSubject = numberStart + String(largestNumber).length
const hashPattern = /^0x[0-9a-f]{64}$/

export const addressSchema = z.custom<Address>(
  (value) => typeof value === 'string' && addressPattern.test(value),
  'must be 0x and 40 lower-case hex digits',
)
export const subjectSchema = z.custom<Subject>(
  isSubject,
  'must be 0x<40 lower-case hex digits>-<number below 2^96>',
)
export const hashSchema = z.custom<Hash>(
  (value) => typeof value === 'string' && hashPattern.test(value),
  'must be 0x and 64 lower-case hex digits',
)

/** Lower-case form of an address in any case; a mixed-case address must have a right EIP-55 checksum.
 * @throws NameError */
export function parseAddress(text: string): Address {
  // As most are written: without a checksum.
  if (addressPattern.test(text)) return text as Address
  // getAddress would also take an address without 0x, and the ICAP form of banks.
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) {
    throw new NameError(`'${text.slice(0, 60)}' is not an address: 0x and 40 hex digits are expected`)
  }
  try {
    return getAddress(text).toLowerCase() as Address
  } catch (cause) {
    throw new NameError(`'${text}' has a wrong EIP-55 checksum: check its letters`, { cause })
  }
}

/** Whether the value is a subject in its only accepted spelling. */
export function isSubject(value: unknown): value is Subject {
  if (typeof value !== 'string' || !subjectPattern.test(value)) return false
  // A number with fewer digits than the largest is below it.
  return value.length < longestSubject || BigInt(value.slice(numberStart)) <= largestNumber
}

/** Checks that a text is a subject in its only accepted spelling.
 * @throws NameError */
export function parseSubject(text: string): Subject {
  if (!isSubject(text)) {
    throw new NameError(
      `'${text.slice(0, 80)}' is not a subject: 0x<40 lower-case hex digits>-<number> is expected`,
    )
  }
  return text
}

/** The subject of an author's number.
 * @throws NameError when the number is negative or needs more than 96 bits */
export function subjectOf(author: Address, number: bigint): Subject {
  return parseSubject(`${author}-${number}`)
}

/** The subject that stands for an author itself: profile and keys. */
export function userSubject(author: Address): Subject {
  return subjectOf(author, userNumber)
}

export function authorOf(subject: Subject): Address {
  return subject.slice(0, 42) as Address
}

export function numberOf(subject: Subject): bigint {
  return BigInt(subject.slice(numberStart))
}

/** Author and number as the 32 bytes that stand on the chain. */
export function subjectToBytes32(subject: Subject): Hash {
  return `${authorOf(subject)}${numberOf(subject).toString(16).padStart(24, '0')}`
}

/** Inverse of {@link subjectToBytes32}. @throws NameError */
export function subjectFromBytes32(bytes32: string): Subject {
  const hex = bytes32.toLowerCase()
  if (!hashPattern.test(hex)) throw new NameError(`'${bytes32.slice(0, 80)}' is not 32 bytes in hex`)
  return subjectOf(hex.slice(0, 42) as Address, BigInt(`0x${hex.slice(42)}`))
}

/** A fresh number for a new subject: 95 random bits, never the user's own number.
 * @param random source of random bytes, such as `crypto.getRandomValues` */
export function freshNumber(random: (bytes: Uint8Array) => Uint8Array): bigint {
  const bytes = random(new Uint8Array(12))
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  const number = BigInt(hexlify(bytes))
  return number === userNumber ? 1n : number
}

/** Left-pads an address to the 32 bytes in which topics and ABI words carry it. */
export function addressToBytes32(address: Address): Hash {
  return zeroPadValue(address, 32) as Hash
}
