export { type Grant, GrantError, grantSchema, signGrant, verifyGrant } from './grant.ts'
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
