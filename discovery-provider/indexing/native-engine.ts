import { hash } from 'node:crypto'
import type { Engine } from '@hexachord/protocol/engine'
import type { Address } from '@hexachord/protocol/names'
import type { Recover } from '@hexachord/protocol/signing'
import { createKeccak } from 'hash-wasm'
import { recover } from 'tiny-secp256k1'

/** Keccak and the curve by WebAssembly, all else by Node itself: several times as fast as JavaScript. */
export async function loadNativeEngine(): Promise<Engine & { readonly recover: Recover }> {
  const keccak = await createKeccak(256)
  const bytesOf = (digits: string) => Buffer.from(digits, 'hex')
  const keccak256 = (bytes: Uint8Array) => keccak.init().update(bytes).digest('hex')
  return {
    keccak256,
    sha256: (data) => hash('sha256', data, 'hex'),
    bytesOf,
    recover(digest, { r, s, yParity }) {
      const publicKey = recover(bytesOf(digest.slice(2)), bytesOf(r.slice(2) + s.slice(2)), yParity)
      if (publicKey === null) throw new Error('there is no such key')
      // The first byte says that the key is not compressed.
      return `0x${keccak256(publicKey.subarray(1)).slice(-40)}` satisfies Address
    },
  }
}
