import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { keccak_256 } from '@noble/hashes/sha3.js'

// For checks of the vectors that share nothing with the code which made them: hash functions, bytes and hex.

export async function readVector<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(new URL(file, import.meta.url), 'utf8'))
}

export function keccak(...parts: Uint8Array[]): Buffer {
  return Buffer.from(keccak_256(Buffer.concat(parts)))
}

export function sha256(...parts: Uint8Array[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer')
}

/** Big-endian, in so many bytes. */
export function uint(value: bigint | number, byteLength: number): Buffer {
  return fromHex(value.toString(16).padStart(byteLength * 2, '0'))
}

/** 32 bytes, as the chain's machine counts. */
export function word(value: bigint): Buffer {
  return uint(value, 32)
}

export function fromHex(hex: string): Buffer {
  return Buffer.from(hex.replace(/^0x/, ''), 'hex')
}

export function toHex(bytes: Buffer): string {
  return `0x${bytes.toString('hex')}`
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

export function base32(bytes: Buffer): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('')
  return bits.replace(/.{1,5}/g, (five) => alphabet[Number.parseInt(five.padEnd(5, '0'), 2)] ?? '')
}

/** Last 32 bytes of a CID. */
export function digestInCid(cid: string): Buffer {
  const bits = Array.from(cid.slice(1), (letter) =>
    alphabet.indexOf(letter).toString(2).padStart(5, '0'),
  ).join('')
  const bytes = bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []
  return Buffer.from(bytes.slice(-32))
}
