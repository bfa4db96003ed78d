import * as z from 'zod'
import { cidSchema } from '../cids/index.ts'
import { type Address, addressSchema, hashSchema, subjectSchema, subjectToBytes32 } from '../names/index.ts'
import { receiptSchema } from '../receipts/index.ts'
import { type Domain, SignatureError, type Signer, signerOf, signMessage } from '../signing/index.ts'
import { grantSchema } from './grant.ts'

/** A creator node asks one operator to hold one track: `POST /offers`. Until the track is published the
 * bytes are a lease, collected when the offer expires. */
export const offerSchema = z.strictObject({
  /** The operator that asks; its hot key signs. */
  operator: addressSchema,
  /** The operator that is asked. */
  to: addressSchema,
  subject: subjectSchema,
  /** Growing block list of the track, under the asking operator's registered endpoint. */
  source: z.url().max(500),
  byteLimit: z.int().positive(),
  /** ms since 1970. */
  expiresAt: z.int().positive(),
  signature: z.string().max(132),
  /** The author's consent. */
  grant: grantSchema,
})
export type Offer = z.infer<typeof offerSchema>

/** `GET /offers/:id` */
export const offerStateSchema = z.object({
  offer: hashSchema,
  subject: subjectSchema,
  state: z.enum(['pulling', 'held', 'failed', 'expired']),
  blocks: z.int().nonnegative(),
  byteLength: z.int().nonnegative(),
  reason: z.string().optional(),
  receipt: receiptSchema.optional(),
})
export type OfferState = z.infer<typeof offerStateSchema>

/** `GET /uploads/:id/blocks?after=N&wait=MS`: blocks in the order in which they came to be. `next` is the
 * cursor for `after`; `manifest` is there when the list is complete and names its last block. */
export const blockListSchema = z.object({
  items: z.array(z.object({ cid: cidSchema, byteLength: z.int().positive() })).max(1000),
  next: z.string().max(40),
  state: z.enum(['growing', 'complete', 'failed']),
  manifest: cidSchema.nullable(),
})
export type BlockList = z.infer<typeof blockListSchema>

export class OfferError extends Error {
  override readonly name = 'OfferError'
}

export async function signOffer(
  hotKey: Signer,
  domain: Domain,
  offer: Omit<Offer, 'signature'>,
): Promise<Offer> {
  return { ...offer, signature: await signMessage(hotKey, domain, 'Offer', message(offer)) }
}

/** Checks time and signature of an offer. @returns the signer, which must be the asking operator's hot key
 * @throws OfferError */
export function verifyOffer(
  offer: Offer,
  { domain, to, now }: { domain: Domain; to: Address; now: number },
): Address {
  if (offer.to !== to) throw new OfferError(`the offer is for operator ${offer.to}, this node is ${to}`)
  if (offer.expiresAt <= now) throw new OfferError('the offer has expired')
  if (offer.grant.subject !== offer.subject) throw new OfferError('the grant is for another track')
  if (offer.byteLimit > offer.grant.byteLimit) throw new OfferError('the grant allows fewer bytes')
  try {
    return signerOf(domain, 'Offer', message(offer), offer.signature)
  } catch (cause) {
    if (cause instanceof SignatureError) throw new OfferError(`the offer's signature is malformed`, { cause })
    throw cause
  }
}

function message(offer: Omit<Offer, 'signature'>) {
  return {
    operator: offer.operator,
    to: offer.to,
    subject: subjectToBytes32(offer.subject),
    source: offer.source,
    byteLimit: BigInt(offer.byteLimit),
    expiresAt: offer.expiresAt,
  }
}
