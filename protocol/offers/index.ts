export {
  type Grant,
  GrantError,
  grantSchema,
  maximumGrantMs,
  maximumHoldMs,
  signGrant,
  usualGrantMs,
  verifyGrant,
} from './grant.ts'
export {
  type BlockList,
  blockListSchema,
  type Offer,
  OfferError,
  type OfferState,
  offerSchema,
  offerStateSchema,
  signOffer,
  verifyOffer,
} from './offer.ts'
