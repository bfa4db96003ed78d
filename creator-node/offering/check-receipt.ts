import type { Operator } from '@hexachord/protocol/operators'
import { type Receipt, receiptSigner } from '@hexachord/protocol/receipts'
import type { Domain } from '@hexachord/protocol/signing'
import type { Upload } from '../uploads/index.ts'

/**
 * Holds a receipt against what this node knows of the track itself.
 * @param operator as registered now
 * @param nowMs ms since 1970
 * @returns what is wrong with it; undefined when an indexer will accept it
 */
export function mistakeInReceipt(
  receipt: Receipt,
  upload: Pick<Upload, 'subject' | 'track'>,
  { operator, domain, nowMs }: { operator: Operator; domain: Domain; nowMs: number },
): string | undefined {
  const { track } = upload
  if (track === undefined) return 'it came before the track was complete'
  if (receipt.operator !== operator.operator) return 'it is in the name of another operator'
  if (receipt.subject !== upload.subject) return 'it is for another track'
  if (receipt.manifest !== track.manifest) return 'it is for another manifest'
  if (
    receipt.storageRoot !== track.storageRoot ||
    receipt.leafCount !== track.leafCount ||
    receipt.byteLength !== track.byteLength
  ) {
    return 'its storage root is not that of the track'
  }
  if (receipt.validUntil * 1000 <= nowMs) return 'it is not valid any more'
  if (receiptSigner(receipt, domain) !== operator.hotKey) return "it was not signed by the operator's hot key"
  return undefined
}
