export { type AccountPass, type KeyHolder, type KeyPlace, keyHolderAt, type TryKey } from './ask-key.ts'
export { browserPurseMemory } from './browser-purse-memory.ts'
export { NodeRefused } from './channel-report.ts'
export {
  type ChainChannel,
  type ChainSession,
  type EscrowReader,
  readEscrow,
  type TermsOnChain,
  type Token,
  TransactionFailed,
  tracksInterface,
} from './escrow-reader.ts'
export {
  type DepositAuthorization,
  deposit,
  depositAuthorized,
  finalizeRelease,
  initiateRelease,
  revokeSession,
  send as sendCall,
  sendAuthorization,
  signDeposit,
  type Writing,
  withdraw,
} from './escrow-writes.ts'
export { type PaidPlay, type PaidPlays, type PlayOptions, paidPlays, playPaid } from './paid-play.ts'
export { type PaymentLack, PaymentNeeded } from './payment-needed.ts'
export {
  openPurse,
  type Purse,
  type PurseOptions,
  type Spending,
  type TermsReader,
  type ToldTerms,
  type TrackTerms,
} from './purse.ts'
export { memoryIn, type PurseMemory, type Receipt, receiptSchema, receiptsCsv } from './purse-memory.ts'
export {
  type Budget,
  budgetLeft,
  emptyState,
  noLimit,
  type PurseState,
  purseStateSchema,
  withBudget,
  withReleased,
  withReleasing,
} from './purse-state.ts'
export { rehearsePaying } from './rehearse-paying.ts'
export {
  authorizeSpending,
  ownSpender,
  type Spender,
  type SpendingAuthorization,
  spendingKey,
} from './spending-key.ts'
export { priceInIndex, termsFromChain, termsFromIndex } from './terms.ts'
export { type Operator, readOffer } from './till.ts'
export { formatAmount, parseAmount, tokenOf } from './token-amounts.ts'
