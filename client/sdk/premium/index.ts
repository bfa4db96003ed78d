export {
  findKeyHolders,
  type Given,
  giveSecret,
  keyHoldersOf,
  NoPayments,
  premiumUploads,
  readGates,
  setGate,
  type ToldGate,
} from './key-holders.ts'
export { trackSecretOf } from './track-secret.ts'
