import { hash } from 'node:crypto'
import { CidMismatch, parseCid } from '@hexachord/protocol/cids'

/**
 * As `verifyBlock` of `protocol/cids`, but by the processor's own sha256, at once: to hand a block over to WebCrypto and
 * to wait for it takes longer than to hash it here, at about a gigabyte in a second.
 * @throws CidError, CidMismatch
 */
export function verifyBytes(cid: string, bytes: Uint8Array): void {
  const { digest } = parseCid(cid)
  if (Buffer.compare(digest, hash('sha256', bytes, 'buffer')) !== 0) throw new CidMismatch(cid)
}
