import { type KeyRecovery, loadKeyRecovery } from '@hexachord/platform/secp256k1'
import type { Address, Hash } from '@hexachord/protocol/names'
import type { Recover } from '@hexachord/protocol/signing'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { LRUCache } from 'lru-cache'

/** Finds signers many times faster than JavaScript does. */
export type NativeRecovery = {
  /** For `signerOf` and its like. */
  readonly recover: Recover
  /**
   * The same with bytes.
   * @param digest 32 bytes
   * @param signature r ‖ s, 64 bytes, of the one form that contracts accept
   * @returns 20 bytes, which may come again and must not be changed
   * @throws when r or s belong to no point
   */
  signerOf(digest: Uint8Array, signature: Uint8Array, yParity: 0 | 1): Uint8Array
}

/** Keys of listeners whose address is remembered; to hash a key takes a tenth as long as to find it. */
const keysKept = 8_192

/**
 * A till without a compiled library would be thirty times slower than its operator believes, so there is none.
 *
 * Signers are recovered, never verified against a key that is known: a signature with the other `v` verifies just as
 * well, and the contract would find another signer for it.
 * @throws KeyRecoveryMissing
 */
export function loadNativeRecovery(recoverKey: KeyRecovery = loadKeyRecovery()): NativeRecovery {
  const addresses = new LRUCache<string, Uint8Array>({ max: keysKept })

  function signerOf(digest: Uint8Array, signature: Uint8Array, yParity: 0 | 1): Uint8Array {
    const key = recoverKey(digest, signature, yParity)
    const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
    const known = addresses.get(name)
    if (known !== undefined) return known
    const address = keccak_256(key.subarray(1)).subarray(12)
    addresses.set(name, address)
    return address
  }

  return {
    recover(digest: Hash, { r, s, yParity }): Address {
      const signature = Buffer.from(r.slice(2) + s.slice(2), 'hex')
      const address = signerOf(Buffer.from(digest.slice(2), 'hex'), signature, yParity)
      return `0x${Buffer.from(address).toString('hex')}`
    },
    signerOf,
  }
}
