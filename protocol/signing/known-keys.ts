import { secp256k1 } from '@noble/curves/secp256k1.js'
import { hexToBytes } from '@noble/hashes/utils.js'
import { computeAddress, SigningKey } from 'ethers'
import type { Address, Hash } from '../names/index.ts'
import type { Recover } from './typed-data.ts'

const { Point } = secp256k1
const { Fn } = Point

/** Keys that are remembered at most, each with some 300 kB of multiples: operators sign receipts again and again. */
const maximumKeys = 32
/** Bits that are multiplied at once. */
const windowBits = 6

const known = new Map<Address, InstanceType<typeof Point>>()

/** Recovers signers, those of whom it is expected much faster from their second signature on.
 * @param expected whose signature it should be: somebody who signs often */
export function recoverExpecting(expected: Address): Recover {
  return (digest, signature) => {
    if (isByKnownKey(expected, digest, signature)) return expected
    const publicKey = SigningKey.recoverPublicKey(digest, { ...signature })
    const signer = computeAddress(publicKey).toLowerCase() as Address
    if (signer === expected) rememberKey(signer, publicKey)
    return signer
  }
}

/** Makes later signatures by this key quick to check. @param publicKey uncompressed, `0x04` and 64 bytes in hex */
export function rememberKey(address: Address, publicKey: string): void {
  const [oldest] = known.keys()
  if (oldest !== undefined && known.size >= maximumKeys) known.delete(oldest)
  const point = Point.fromBytes(hexToBytes(publicKey.slice(2)))
  known.set(address, point.precompute(windowBits, false))
}

/**
 * Whether the key of this address is known and recovering from this signature would give it. A key Q is recovered just
 * when u1 G + u2 Q, with u1 = z / s and u2 = r / s, is the point of which r is the x and v tells the y (SEC 1, 4.1.6).
 */
export function isByKnownKey(
  address: Address,
  digest: Hash,
  signature: { readonly r: string; readonly s: string; readonly yParity: 0 | 1 },
): boolean {
  const key = known.get(address)
  const [r, s] = [BigInt(signature.r), BigInt(signature.s)]
  if (key === undefined || !Fn.isValidNot0(r) || !Fn.isValidNot0(s)) return false
  const inverse = Fn.inv(s)
  const u1 = Fn.mul(Fn.create(BigInt(digest)), inverse)
  const { x, y } = Point.BASE.multiplyUnsafe(u1)
    .add(key.multiplyUnsafe(Fn.mul(r, inverse)))
    .toAffine()
  return x === r && Number(y & 1n) === signature.yParity
}
