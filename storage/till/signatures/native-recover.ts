import { createRequire } from 'node:module'
import type { Address, Hash } from '@hexachord/protocol/names'
import type { Recover } from '@hexachord/protocol/signing'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { LRUCache } from 'lru-cache'

/** Finds signers some twenty times faster than JavaScript does: libsecp256k1 (https://github.com/bitcoin-core/secp256k1). */
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
  signerOf(digest: Uint8Array, signature: Uint8Array, yParity: number): Uint8Array
}

/** The native part of `secp256k1` is not there. */
export class NativeRecoveryMissing extends Error {
  override readonly name = 'NativeRecoveryMissing'
}

type Binding = {
  ecdsaRecover(
    signature: Uint8Array,
    recoveryId: number,
    digest: Uint8Array,
    compressed: boolean,
    key: Uint8Array,
  ): void
}

/** Keys of listeners whose address is remembered; to hash a key takes a tenth as long as to find it. */
const keysKept = 8_192
const keyBytes = 65

/**
 * Loads the binding itself. The package's own entry takes JavaScript in its place without a word, and a till would be
 * thirty times slower than its operator believes.
 *
 * Signers are recovered, never verified against a key that is known: a signature with the other `v` verifies just as
 * well, and the contract would find another signer for it.
 * @throws NativeRecoveryMissing
 */
export function loadNativeRecovery(load: () => unknown = loadBinding): NativeRecovery {
  let binding: Binding
  try {
    binding = load() as Binding
  } catch (cause) {
    throw new NativeRecoveryMissing(
      `the native part of the package secp256k1 does not load on ${process.platform}-${process.arch}, and without it a node cannot check payments fast enough; build it with: npm rebuild secp256k1 --ignore-scripts=false`,
      { cause },
    )
  }
  const addresses = new LRUCache<string, Uint8Array>({ max: keysKept })
  // Always the same: a collection of garbage holds up every signature that waits.
  const key = Buffer.alloc(keyBytes)

  function signerOf(digest: Uint8Array, signature: Uint8Array, yParity: number): Uint8Array {
    binding.ecdsaRecover(signature, yParity, digest, false, key)
    const name = key.toString('latin1')
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

function loadBinding(): unknown {
  return createRequire(import.meta.url)('secp256k1/bindings')
}
