import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { computeAddress, getBytes, hexlify, SigningKey } from 'ethers'
import { type Address, type Hash, type Subject, subjectToBytes32 } from '../names/index.ts'
import { strictSignature } from '../signing/index.ts'
import { secretBytes } from './segment-keys.ts'

/**
 * A track's secret on its way to a node: encrypted to the node's hot key (ECDH on secp256k1 with a fresh key,
 * HKDF-SHA256, ChaCha20-Poly1305), bound to track and node. As it travels so it is kept: who copies a node's database
 * has nothing without the node's key. 0x and 81 bytes: fresh public key (33), ciphertext (32), tag (16).
 */
export type SealedSecret = `0x${string}`

/** The secret was sealed to another node, or for another track, or is damaged. */
export class SealedSecretError extends Error {
  override readonly name = 'SealedSecretError'
}

export const sealedSecretPattern = /^0x0[23][0-9a-f]{160}$/
const publicKeyBytes = 33
const info = new TextEncoder().encode('hexachord premium secret 1 ')
/** Each key encrypts once. */
const nonce = new Uint8Array(12)

/** The public key that made a signature; compressed, in hex. It is how a node's key is learnt, of which the chain knows
 * the address only. @throws SignatureError */
export function publicKeyOf(digest: Hash, signature: string): string {
  const { r, s, yParity } = strictSignature(signature)
  return SigningKey.computePublicKey(SigningKey.recoverPublicKey(digest, { r, s, yParity }), true)
}

/** @param publicKey of the node's hot key, in hex @param random as `crypto.getRandomValues`
 * @throws SealedSecretError for a key that is none */
export function sealSecret(
  secret: Uint8Array,
  { subject, publicKey }: { subject: Subject; publicKey: string },
  random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
): SealedSecret {
  if (secret.length !== secretBytes) throw new RangeError(`a secret has ${secretBytes} bytes`)
  const once = random(new Uint8Array(32))
  const from = secp256k1.getPublicKey(once, true)
  const key = sharedKey(once, getBytes(publicKey), from)
  const box = chacha20poly1305(key, nonce, boundTo(subject, computeAddress(publicKey))).encrypt(secret)
  return hexlify(new Uint8Array([...from, ...box])) as SealedSecret
}

/** @param privateKey of the node's hot key, 0x and 64 hex digits @throws SealedSecretError */
export function openSecret(
  sealed: string,
  { subject, privateKey }: { subject: Subject; privateKey: string },
): Uint8Array {
  if (!sealedSecretPattern.test(sealed)) throw new SealedSecretError('this is no sealed secret')
  const bytes = getBytes(sealed)
  const from = bytes.subarray(0, publicKeyBytes)
  const key = sharedKey(getBytes(privateKey), from, from)
  const address = computeAddress(privateKey)
  try {
    return chacha20poly1305(key, nonce, boundTo(subject, address)).decrypt(bytes.subarray(publicKeyBytes))
  } catch (cause) {
    throw new SealedSecretError(`the secret of ${subject} was sealed to another key than this node's`, {
      cause,
    })
  }
}

function sharedKey(own: Uint8Array, other: Uint8Array, from: Uint8Array): Uint8Array {
  try {
    return hkdf(sha256, secp256k1.getSharedSecret(own, other, true), from, info, 32)
  } catch (cause) {
    throw new SealedSecretError('this is no public key', { cause })
  }
}

function boundTo(subject: Subject, address: string): Uint8Array {
  return new Uint8Array([...getBytes(subjectToBytes32(subject)), ...getBytes(address as Address)])
}
