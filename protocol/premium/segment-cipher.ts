import type { SegmentKey } from './segment-keys.ts'

/** Ciphertext that this key does not open. */
export class DecryptError extends Error {
  override readonly name = 'DecryptError'
}

/** AES-128-CBC with PKCS #7 padding over a whole segment, as `METHOD=AES-128` of RFC 8216 (4.3.2.4) wants it. Needs a
 * secure context where it runs in a browser, as all of Web Cryptography does. */
export async function encryptSegment(bytes: Uint8Array, { key, iv }: SegmentKey): Promise<Uint8Array> {
  const algorithm = { name: 'AES-CBC', iv }
  const imported = await crypto.subtle.importKey('raw', key, 'AES-CBC', false, ['encrypt'])
  return new Uint8Array(await crypto.subtle.encrypt(algorithm, imported, bytes as Uint8Array<ArrayBuffer>))
}

/** Inverse of {@link encryptSegment}. That the ciphertext is what was published its hash has to show before.
 * @throws DecryptError when the padding does not fit, as nearly always with a wrong key */
export async function decryptSegment(bytes: Uint8Array, { key, iv }: SegmentKey): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey('raw', key, 'AES-CBC', false, ['decrypt'])
  try {
    const clear = await crypto.subtle.decrypt(
      { name: 'AES-CBC', iv },
      imported,
      bytes as Uint8Array<ArrayBuffer>,
    )
    return new Uint8Array(clear)
  } catch (cause) {
    throw new DecryptError('the segment does not open with this key', { cause })
  }
}

/** Bytes that a segment has when it is encrypted. */
export function encryptedLength(byteLength: number): number {
  return byteLength - (byteLength % 16) + 16
}
