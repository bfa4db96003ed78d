import type { Address, Subject } from '@hexachord/protocol/names'
import { type Receipt, receiptSigner, renewReceiptSeconds } from '@hexachord/protocol/receipts'
import type { Domain } from '@hexachord/protocol/signing'
import type { SignAgain } from './issue-receipt.ts'
import type { ReceiptStore } from './receipt-store.ts'

/**
 * Signs a receipt again that ends within {@link renewReceiptSeconds}, or that a key signed which is no longer the
 * operator's. To be called only when every block has just been read and found good.
 * @returns a function that tells whether it did
 */
export function createRenewReceipt(options: {
  receipts: Pick<ReceiptStore, 'get' | 'put'>
  signAgain: SignAgain
  domain: Domain
  /** Address of the key that signs now. */
  hotKey: Address
  /** Whether the copy is still to be promised; asked right before the receipt is stored. */
  isHeld: (subject: Subject, manifest: string) => boolean
  /** ms since 1970. */
  now: () => number
}): (subject: Subject, manifest: string) => Promise<boolean> {
  const { receipts, signAgain, domain, hotKey, isHeld, now } = options

  function isFresh(receipt: Receipt): boolean {
    const endsInSeconds = receipt.validUntil - now() / 1000
    return endsInSeconds > renewReceiptSeconds && receiptSigner(receipt, domain) === hotKey
  }

  return async (subject, manifest) => {
    const receipt = receipts.get(subject, manifest)
    if (receipt === undefined || isFresh(receipt)) return false
    const renewed = await signAgain(receipt)
    if (!isHeld(subject, manifest)) return false
    receipts.put(renewed)
    return true
  }
}
