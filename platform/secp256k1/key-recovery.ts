import { createRequire } from 'node:module'
import { keyBytes, loadSharedLibrary } from './shared-library.ts'

/**
 * The public key that made a signature.
 * @param digest 32 bytes
 * @param signature r ‖ s, 64 bytes
 * @returns the key uncompressed, 65 bytes, which the next call overwrites
 * @throws when r or s belong to no point
 */
export type KeyRecovery = (digest: Uint8Array, signature: Uint8Array, recoveryId: 0 | 1) => Uint8Array

/** Nothing that is compiled does it here. */
export class KeyRecoveryMissing extends Error {
  override readonly name = 'KeyRecoveryMissing'
}

/**
 * What can do it, the fastest first: libsecp256k1 (https://github.com/bitcoin-core/secp256k1) as the system has it, and
 * the one of 2019 inside the npm package `secp256k1`, which takes 1.4 times as long. Each throws where it is not there.
 */
export const keyRecoveries = { system: loadSharedLibrary, package: loadPackage } as const

/** @throws KeyRecoveryMissing */
export function loadKeyRecovery(
  loaders: readonly (() => KeyRecovery)[] = Object.values(keyRecoveries),
): KeyRecovery {
  const errors: unknown[] = []
  for (const load of loaders) {
    try {
      return load()
    } catch (error) {
      errors.push(error)
    }
  }
  throw new KeyRecoveryMissing(
    `nothing that is compiled finds signers on ${process.platform}-${process.arch}; install libsecp256k1 (Debian: apt-get install libsecp256k1-dev), or build the package with: npm rebuild secp256k1 --ignore-scripts=false`,
    { cause: new AggregateError(errors) },
  )
}

/** The binding itself: the package's own entry takes JavaScript in its place without a word, thirty times slower. */
function loadPackage(): KeyRecovery {
  const { ecdsaRecover } = createRequire(import.meta.url)('secp256k1/bindings') as {
    ecdsaRecover(
      signature: Uint8Array,
      recoveryId: number,
      digest: Uint8Array,
      compressed: boolean,
      key: Uint8Array,
    ): void
  }
  // Always the same: a collection of garbage holds up every signature that waits.
  const key = Buffer.alloc(keyBytes)
  return (digest, signature, recoveryId) => {
    ecdsaRecover(signature, recoveryId, digest, false, key)
    return key
  }
}
