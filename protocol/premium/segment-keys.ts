import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { hexlify } from 'ethers'

/**
 * Keys of premium tracks. A track has one secret; a rendition has a salt, which stands in its block; a segment has a key
 * and an initialization vector of its own, derived from both and its place (HKDF-SHA256, RFC 5869). Whoever is given the
 * key of one segment learns nothing of another's, and a node that knows the secret need not keep any keys.
 */
export type SegmentKey = {
  /** 16 bytes, for AES-128. */
  readonly key: Uint8Array<ArrayBuffer>
  /** 16 bytes. It stands in playlists, for all to see. */
  readonly iv: Uint8Array<ArrayBuffer>
}

/** Length of a track's secret, in bytes. */
export const secretBytes = 32
const saltBytes = 16
const [keyBytes, ivBytes] = [16, 16]

const text = new TextEncoder()
const saltInfo = 'hexachord premium rendition 1 '
const keyInfo = text.encode('hexachord premium segment 1 ')

/** A secret for a new track. @param random source of random bytes, such as `crypto.getRandomValues` */
export function newTrackSecret(random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): Uint8Array {
  return random(new Uint8Array(secretBytes))
}

/**
 * The salt of a rendition: the same again when it is made again, so that work goes on after a crash.
 * @param name tells renditions apart, and how and in which upload they are made: no key may encrypt two different sounds
 * @returns 0x and 32 hex digits, as in the rendition's block
 */
export function renditionSalt(secret: Uint8Array, name: string): `0x${string}` {
  return hexlify(hkdf(sha256, secret, undefined, text.encode(saltInfo + name), saltBytes)) as `0x${string}`
}

/** @param salt of the rendition, 0x and 32 hex digits @param index of the segment, from 0 on */
export function segmentKey(secret: Uint8Array, salt: string, index: number): SegmentKey {
  const okm = hkdf(sha256, secret, saltOf(salt), keyInfoOf(index), keyBytes)
  return { key: new Uint8Array(okm), iv: segmentIv(salt, index) }
}

/** The initialization vector alone, which needs no secret: whoever writes a playlist can tell it. */
export function segmentIv(salt: string, index: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sha256(new Uint8Array([...saltOf(salt), ...keyInfoOf(index)]))).slice(0, ivBytes)
}

function keyInfoOf(index: number): Uint8Array {
  const info = new Uint8Array(keyInfo.length + 4)
  info.set(keyInfo)
  new DataView(info.buffer).setUint32(keyInfo.length, index)
  return info
}

function saltOf(salt: string): Uint8Array {
  return Uint8Array.from(salt.slice(2).match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}
