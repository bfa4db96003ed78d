import { hash } from 'node:crypto'
import { type KeyRecovery, loadKeyRecovery } from '@hexachord/platform/secp256k1'
import type { Engine } from '@hexachord/protocol/engine'
import type { Address } from '@hexachord/protocol/names'
import type { Recover } from '@hexachord/protocol/signing'
import { createKeccak } from 'hash-wasm'
import { recover as recoverByWebAssembly } from 'tiny-secp256k1'

/** Keccak by WebAssembly, all else by what is compiled: many times as fast as JavaScript.
 * @param load what finds keys, compiled; throws where there is none */
export async function loadNativeEngine(
  load: () => KeyRecovery = loadKeyRecovery,
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
      const publicKey = recoverKey(bytesOf(digest.slice(2)), bytesOf(r.slice(2) + s.slice(2)), yParity)
      return `0x${keccak256(publicKey.subarray(1)).slice(-40)}` satisfies Address
    },
  }
}

/** As it is compiled for this platform or else for WebAssembly, which takes several times as long: it is most of what it
 * takes to judge a track, but a chain is indexed without the former as well. */
function keyRecovery(load: () => KeyRecovery): KeyRecovery {
  try {
    return load()
  } catch {
    return (digest, signature, recoveryId) => {
      const key = recoverByWebAssembly(digest, signature, recoveryId)
      if (key === null) throw new Error('there is no such key')
      return key
    }
  }
}
