import * as z from 'zod'
import { cidSchema, digestHex } from '../cids/index.ts'
import type { Engine } from '../engine/index.ts'
import { type Address, addressSchema, hashSchema, subjectSchema, subjectToBytes32 } from '../names/index.ts'
import {
  type Domain,
  type Recover,
  SignatureError,
  type Signer,
  signerOf,
  signMessage,
} from '../signing/index.ts'

/** An operator's signed word that it holds every block of a manifest, fsynced and pinned. */
export const receiptSchema = z.strictObject({
  operator: addressSchema,
  subject: subjectSchema,
  manifest: cidSchema,
  storageRoot: hashSchema,
  leafCount: z.int().positive(),
  byteLength: z.int().positive(),
  /** Head of the chain when it was signed. */
  blockNumber: z.int().nonnegative(),
  /** Unix seconds: contracts compare it with `block.timestamp`. */
  validUntil: z.int().positive(),
  signature: z.string().max(132),
})
export type Receipt = z.infer<typeof receiptSchema>

/** Copies that a track should have, where there are as many operators. */
export const fullCopies = 3
/** Receipts without which no indexer accepts a track, where there are as many operators. */
export const neededCopies = 2
/** How long a receipt binds its operator, unless it is renewed: 400 days, in seconds. */
export const receiptSeconds = 400 * 86_400
/** A receipt with less time left than this is renewed after the next look at every block: a quarter, in seconds, so
 * that a node which was away for months still comes in time. */
export const renewReceiptSeconds = receiptSeconds / 4

export async function signReceipt(
  hotKey: Signer,
  domain: Domain,
  receipt: Omit<Receipt, 'signature'>,
): Promise<Receipt> {
  return { ...receipt, signature: await signMessage(hotKey, domain, 'Receipt', message(receipt)) }
}

/** Who signed a receipt: the caller compares it with the operator's hot key.
 * @param recover faster than in JavaScript, as is `engine` for hashes
 * @returns undefined when the signature is malformed */
export function receiptSigner(
  receipt: Receipt,
  domain: Domain,
  recover?: Recover,
  engine?: Engine,
): Address | undefined {
  try {
    return signerOf(domain, 'Receipt', message(receipt), receipt.signature, recover, engine)
  } catch (error) {
    if (error instanceof SignatureError) return undefined
    throw error
  }
}

function message(receipt: Omit<Receipt, 'signature'>) {
  return {
    operator: receipt.operator,
    subject: subjectToBytes32(receipt.subject),
    manifest: digestHex(receipt.manifest),
    storageRoot: receipt.storageRoot,
    leafCount: BigInt(receipt.leafCount),
    byteLength: BigInt(receipt.byteLength),
    blockNumber: BigInt(receipt.blockNumber),
    validUntil: BigInt(receipt.validUntil),
  }
}
