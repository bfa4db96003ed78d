import { hash } from 'node:crypto'
import { CidMismatch, type Codec, cidFromDigest, parseCid } from '@hexachord/protocol/cids'

/** Whether a block has the hash in its name. @throws CidError */
export function isNamed(cid: string, bytes: Uint8Array): boolean {
  return Buffer.compare(parseCid(cid).digest, hash('sha256', bytes, 'buffer')) === 0
}

/**
 * As `verifyBlock` of `protocol/cids`, but by the processor's own sha256, at once: to hand a block over to WebCrypto and
 * to wait for it takes longer than to hash it here, at about a gigabyte in a second.
 * @throws CidError, CidMismatch
 */
export function verifyBytes(cid: string, bytes: Uint8Array): void {
  if (!isNamed(cid, bytes)) throw new CidMismatch(cid)
}

/** As `cidOf` of `protocol/cids`, at once, for the same reason. */
export function nameBytes(bytes: Uint8Array, codec: Codec): string {
  return cidFromDigest(hash('sha256', bytes, 'buffer'), codec)
}
