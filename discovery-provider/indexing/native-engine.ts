import { hash } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Engine } from '@hexachord/protocol/engine'
import type { Address } from '@hexachord/protocol/names'
import type { Recover } from '@hexachord/protocol/signing'
import { createKeccak } from 'hash-wasm'
import { recover as recoverByWebAssembly } from 'tiny-secp256k1'

/** The public key, whose first byte says that it is not compressed. Throws when there is none. */
type RecoverKey = (signature: Uint8Array, recoveryId: 0 | 1, digest: Uint8Array) => Uint8Array

/** Keccak by WebAssembly, all else by what is compiled: many times as fast as JavaScript.
 * @param load the compiled part of `secp256k1`; throws where there is none */
export async function loadNativeEngine(
  load: () => unknown = loadBinding,
): Promise<Engine & { readonly recover: Recover }> {
  const keccak = await createKeccak(256)
  const recoverKey = keyRecovery(load)
  const bytesOf = (digits: string) => {
    const bytes = Buffer.from(digits, 'hex')
    // It ends where it finds anything else.
    if (2 * bytes.length !== digits.length) throw new RangeError('these are no pairs of hex digits')
    return bytes
  }
  const keccak256 = (bytes: Uint8Array) => keccak.init().update(bytes).digest('hex')
  return {
    keccak256,
    sha256: (data) => hash('sha256', data, 'hex'),
    bytesOf,
    recover(digest, { r, s, yParity }) {
      const publicKey = recoverKey(bytesOf(r.slice(2) + s.slice(2)), yParity, bytesOf(digest.slice(2)))
      return `0x${keccak256(publicKey.subarray(1)).slice(-40)}` satisfies Address
    },
  }
}

/** libsecp256k1, as it is compiled for this platform or else for WebAssembly, which takes four times as long: it is
 * most of what it takes to judge a track, but a chain is indexed without the former as well. */
function keyRecovery(load: () => unknown): RecoverKey {
  try {
    const { ecdsaRecover } = load() as {
      ecdsaRecover(
        signature: Uint8Array,
        recoveryId: number,
        digest: Uint8Array,
        compressed: boolean,
      ): Uint8Array
    }
    return (signature, recoveryId, digest) => ecdsaRecover(signature, recoveryId, digest, false)
  } catch {
    return (signature, recoveryId, digest) => {
      const key = recoverByWebAssembly(digest, signature, recoveryId)
      if (key === null) throw new Error('there is no such key')
      return key
    }
  }
}

/** Not by the door of the package, which takes JavaScript in its place without a word. */
function loadBinding(): unknown {
  return createRequire(import.meta.url)('secp256k1/bindings')
}
