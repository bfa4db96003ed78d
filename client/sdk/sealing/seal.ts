import { maximumRecipients, type Sealed } from '@hexachord/protocol/actions'
import { encodeCanonicalJson, type Json, parseCanonicalJson } from '@hexachord/protocol/canonical'
import { type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { decodeBase64, encodeBase64, getBytes, hexlify } from 'ethers'
import type { HeldKey } from '../keys/index.ts'

/**
 * Content that stands on the chain for all to see and for some to read.
 *
 * A fresh key encrypts the content (ChaCha20-Poly1305, RFC 8439), bound to its subject and padded, so that neither its
 * place nor its exact length can be changed or seen. That key is encrypted for each reader by what a fresh X25519 key and
 * the reader's have in common (RFC 7748, HKDF of RFC 5869): who the readers are does not show. Every key encrypts once,
 * so that nonces can be zero. Who loses the reader's key loses the content; who gains it, later, reads all of it.
 */
export type SealingKey = {
  /** Published in the user's profile as `sealingKey`. */
  readonly publicKey: string
  /** 32 bytes. */
  readonly secret: Uint8Array
}

/** The content is not for this key, or it was sealed under another subject, or it is damaged. */
export class SealError extends Error {
  override readonly name = 'SealError'
}

const nonce = new Uint8Array(12)
const sealingInfo = new TextEncoder().encode('hexachord sealed content 1')
const keyInfo = new TextEncoder().encode('hexachord sealing key 1')
/** Lengths show in steps of so many bytes. */
const paddedTo = 256

/** The key by which others seal content to an account, derived from its private key: the 12 words bring it back. */
export function sealingKeyOf({ privateKey }: Pick<HeldKey, 'privateKey'>): SealingKey {
  const secret = hkdf(sha256, getBytes(privateKey), undefined, keyInfo, 32)
  return { publicKey: hexlify(x25519.getPublicKey(secret)), secret }
}

/** Seals a value for readers, of whom the author should be one.
 * @param subject under which it will stand: it opens under no other
 * @param readers public keys, 16 at most
 * @param random source of random bytes, such as `crypto.getRandomValues`
 * @throws SealError for too many readers or none, or for a key that is none */
export function seal(
  value: Json,
  { subject, readers }: { subject: Subject; readers: readonly string[] },
  random: (bytes: Uint8Array) => Uint8Array = (bytes) =>
    crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>),
): Sealed {
  if (readers.length === 0 || readers.length > maximumRecipients) {
    throw new SealError(`content is sealed for 1 to ${maximumRecipients} readers, not ${readers.length}`)
  }
  const once = random(new Uint8Array(32))
  const from = x25519.getPublicKey(once)
  const contentKey = random(new Uint8Array(32))
  return {
    from: hexlify(from),
    keys: readers.map((reader) => {
      const wrapping = wrappingKey(once, publicKeyOf(reader), from, publicKeyOf(reader))
      return toBase64Url(chacha20poly1305(wrapping, nonce).encrypt(contentKey))
    }),
    box: toBase64Url(
      chacha20poly1305(contentKey, nonce, getBytes(subjectToBytes32(subject))).encrypt(
        pad(encodeCanonicalJson(value)),
      ),
    ),
  }
}

/** What was sealed. @throws SealError */
export function openSealed(sealed: Sealed, { subject, key }: { subject: Subject; key: SealingKey }): Json {
  const from = publicKeyOf(sealed.from)
  const wrapping = wrappingKey(key.secret, from, from, publicKeyOf(key.publicKey))
  const contentKey = sealed.keys
    .map((wrapped) => opened(wrapping, wrapped))
    .find((found) => found !== undefined)
  if (contentKey === undefined) throw new SealError('this content is sealed for other readers')
  const bytes = opened(contentKey, sealed.box, getBytes(subjectToBytes32(subject)))
  if (bytes === undefined) throw new SealError('this content was sealed under another subject, or is damaged')
  return parseCanonicalJson(new TextDecoder().decode(unpad(bytes)))
}

function wrappingKey(
  secret: Uint8Array,
  other: Uint8Array,
  from: Uint8Array,
  reader: Uint8Array,
): Uint8Array {
  try {
    return hkdf(
      sha256,
      x25519.getSharedSecret(secret, other),
      new Uint8Array([...from, ...reader]),
      sealingInfo,
      32,
    )
  } catch (cause) {
    // Some points have nothing in common with anybody: RFC 7748, section 6.1.
    throw new SealError('this is no sealing key', { cause })
  }
}

function opened(key: Uint8Array, text: string, bound?: Uint8Array): Uint8Array | undefined {
  try {
    return chacha20poly1305(key, nonce, bound).decrypt(fromBase64Url(text))
  } catch {
    // Another key, another subject and a damaged text look alike, and shall.
    return undefined
  }
}

function publicKeyOf(hex: string): Uint8Array {
  if (!/^0x[0-9a-f]{64}$/.test(hex)) throw new SealError('a sealing key is 0x and 64 lower-case hex digits')
  return getBytes(hex)
}

/** A one and zeros behind the bytes, as ISO/IEC 7816-4 has it. */
function pad(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array((Math.floor(bytes.length / paddedTo) + 1) * paddedTo)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  return padded
}

function unpad(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.lastIndexOf(0x80))
}

function toBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

function fromBase64Url(text: string): Uint8Array {
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/')
  return decodeBase64(base64.padEnd(Math.ceil(base64.length / 4) * 4, '='))
}
