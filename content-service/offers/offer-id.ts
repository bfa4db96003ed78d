import { type Hash, subjectToBytes32 } from '@hexachord/protocol/names'
import type { Offer } from '@hexachord/protocol/offers'
import { type Domain, digestOf } from '@hexachord/protocol/signing'

/** An offer's name: the EIP-712 digest that was signed, so that the same offer sent twice is one offer. */
export function offerId(domain: Domain, offer: Offer): Hash {
  return digestOf(domain, 'Offer', {
    operator: offer.operator,
    to: offer.to,
    subject: subjectToBytes32(offer.subject),
    source: offer.source,
    byteLimit: BigInt(offer.byteLimit),
    expiresAt: offer.expiresAt,
  })
}
