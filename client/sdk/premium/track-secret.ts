import { type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { secretBytes } from '@hexachord/protocol/premium'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { getBytes } from 'ethers'
import type { HeldKey } from '../keys/index.ts'

const info = new TextEncoder().encode('hexachord premium track 1 ')

/** The secret of an artist's premium track, derived from the artist's key: the 12 words bring it back. */
export function trackSecretOf({ privateKey }: Pick<HeldKey, 'privateKey'>, track: Subject): Uint8Array {
  const subject = getBytes(subjectToBytes32(track))
  return hkdf(sha256, getBytes(privateKey), subject, info, secretBytes)
}
