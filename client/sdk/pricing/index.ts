export {
  cancelChange,
  type Price,
  readPrice,
  type SignedTerms,
  sendTerms,
  setTerms,
  signedTermsSchema,
  signTerms,
} from './terms.ts'
