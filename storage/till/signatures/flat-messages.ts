import type { Address } from '@hexachord/protocol/names'
import type { StrictSignature } from '@hexachord/protocol/signing'
import type { NativeRecovery } from './native-recover.ts'

/**
 * What the threads say to each other is bytes alone, one signature behind the other: to copy objects takes a fifth of
 * the time of finding a signer, once in each thread.
 *
 * Asked: digest (32) ‖ r ‖ s (64) ‖ recovery bit (1). Answered: whether there is a signer (1) ‖ its address (20).
 */
const [digestBytes, signatureBytes, addressBytes] = [32, 64, 20]
const askedBytes = digestBytes + signatureBytes + 1
const answeredBytes = 1 + addressBytes

/** A digest, and what was signed with it. */
export type SignedDigest = { readonly digest: Uint8Array; readonly signature: StrictSignature }

export function writeAsked(all: readonly SignedDigest[]): Uint8Array {
  const asked = Buffer.from(new ArrayBuffer(all.length * askedBytes))
  let at = 0
  for (const { digest, signature } of all) {
    asked.set(digest, at)
    asked.write(signature.r.slice(2) + signature.s.slice(2), at + digestBytes, 'hex')
    asked[at + digestBytes + signatureBytes] = signature.yParity
    at += askedBytes
  }
  return asked
}

/** Answers all that is asked. */
export function answer(asked: Uint8Array, signerOf: NativeRecovery['signerOf']): Uint8Array {
  const answered = new Uint8Array((asked.length / askedBytes) * answeredBytes)
  for (let [from, to] = [0, 0]; from < asked.length; from += askedBytes, to += answeredBytes) {
    const signature = asked.subarray(from + digestBytes, from + digestBytes + signatureBytes)
    const yParity = asked[from + askedBytes - 1] === 1 ? 1 : 0
    try {
      answered.set(signerOf(asked.subarray(from, from + digestBytes), signature, yParity), to + 1)
      answered[to] = 1
    } catch {
      // There is but one reason, which the zero says: there is no such point.
    }
  }
  return answered
}

/** @returns signers in the order in which they were asked for, undefined where a signature is no point on the curve */
export function* readAnswered(answered: Uint8Array): Generator<Address | undefined> {
  const bytes = Buffer.from(answered.buffer, answered.byteOffset, answered.length)
  for (let at = 0; at < bytes.length; at += answeredBytes) {
    yield bytes[at] === 1 ? `0x${bytes.toString('hex', at + 1, at + answeredBytes)}` : undefined
  }
}
