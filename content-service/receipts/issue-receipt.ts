import type { Address, Subject } from '@hexachord/protocol/names'
import { type Receipt, receiptSeconds, signReceipt } from '@hexachord/protocol/receipts'
import type { Domain, Signer } from '@hexachord/protocol/signing'
import type { InspectedTrack } from '@hexachord/storage/tracks'

/** Signs that this node holds a track. To be called only when every block is synced and the manifest is pinned. */
export type IssueReceipt = (subject: Subject, held: InspectedTrack) => Promise<Receipt>

export function createIssueReceipt(options: {
  hotKey: Signer
  domain: Domain
  operator: Address
  /** The last block that this node has read. */
  head: () => number
  /** ms since 1970. */
  now: () => number
}): IssueReceipt {
  const { hotKey, domain, operator, head, now } = options
  return (subject, { track, storageRoot, leafCount, byteLength }) =>
    signReceipt(hotKey, domain, {
      operator,
      subject,
      manifest: track.cid,
      storageRoot,
      leafCount,
      byteLength,
      blockNumber: Math.max(0, head()),
      validUntil: Math.floor(now() / 1000) + receiptSeconds,
    })
}
