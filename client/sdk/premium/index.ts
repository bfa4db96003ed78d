export { findKeyHolders, giveSecret, NoPayments, premiumUploads, readGates } from './key-holders.ts'
export { trackSecretOf } from './track-secret.ts'
