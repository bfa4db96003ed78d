import type { Address, Subject } from '@hexachord/protocol/names'
import { type Receipt, receiptSeconds, signReceipt } from '@hexachord/protocol/receipts'
import type { Domain, Signer } from '@hexachord/protocol/signing'
import type { InspectedTrack } from '@hexachord/storage/tracks'

/** Signs that this node holds a track. To be called only when every block is synced and the manifest is pinned. */
export type IssueReceipt = (subject: Subject, held: InspectedTrack) => Promise<Receipt>

/** Signs what a receipt says once more, as of now. */
export type SignAgain = (receipt: Receipt) => Promise<Receipt>

type SigningOptions = {
  hotKey: Signer
  domain: Domain
  operator: Address
  /** The last block that this node has read. */
  head: () => number
  /** ms since 1970. */
  now: () => number
}

export function createIssueReceipt(options: SigningOptions): IssueReceipt {
  const signAgain = createSignAgain(options)
  return (subject, { track, storageRoot, leafCount, byteLength }) =>
    signAgain({ subject, manifest: track.cid, storageRoot, leafCount, byteLength })
}

/** @see SignAgain */
export function createSignAgain({ hotKey, domain, operator, head, now }: SigningOptions) {
  return ({
    subject,
    manifest,
    storageRoot,
    leafCount,
    byteLength,
  }: Pick<Receipt, 'subject' | 'manifest' | 'storageRoot' | 'leafCount' | 'byteLength'>): Promise<Receipt> =>
    signReceipt(hotKey, domain, {
      ...{ operator, subject, manifest, storageRoot, leafCount, byteLength },
      blockNumber: Math.max(0, head()),
      validUntil: Math.floor(now() / 1000) + receiptSeconds,
    })
}
