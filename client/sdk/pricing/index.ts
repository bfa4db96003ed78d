export {
  acceptTrack,
  cancelChange,
  NotTheOwner,
  offerTrack,
  type Price,
  readPrice,
  requireOwner,
  type SignedTerms,
  sendTerms,
  setTerms,
  signedTermsSchema,
  signTerms,
} from './terms.ts'
