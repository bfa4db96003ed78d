export { findKeyHolders, giveSecret, NoPayments, premiumUploads } from './key-holders.ts'
export { trackSecretOf } from './track-secret.ts'
