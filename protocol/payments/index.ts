export { type PaymentsNetwork, paymentDomains } from './domains.ts'
export {
  type Claim,
  emptyLedger,
  type Ledger,
  LedgerRefusal,
  type Operation,
  operate,
} from './ledger.ts'
export { type Line, LinesError, lineBytes, packLines, unpackLines } from './lines.ts'
export { type LineSplit, shareOut, splitLine } from './split.ts'
export {
  checkTerms,
  largestAmount,
  type Shares,
  type Terms,
  TermsError,
  termsDelaySeconds,
  unitMs,
} from './terms.ts'
export {
  type ChannelReport,
  channelReportSchema,
  mostLines,
  type Opening,
  openingMs,
  openingSchema,
  type Payment,
  paymentSchema,
  repeatsOfUnit,
  type SentOpening,
  type SentReserve,
  type SentVoucher,
  type SessionReport,
  sentOpeningSchema,
  sentReserveSchema,
  sentVoucherSchema,
  sessionMs,
  sessionReportSchema,
  type TillOffer,
  tillJson,
  tillOfferSchema,
  unitsBeforeMined,
} from './till-messages.ts'
export { partsOfUnits, unitCount, unitsOfBlocks } from './units.ts'
export { type ChannelState, checkVoucher, VoucherError, type VoucherFault } from './vouchers.ts'
