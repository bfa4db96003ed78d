export {
  findKeyHolders,
  giveSecret,
  NoPayments,
  premiumUploads,
  readGates,
  type ToldGate,
} from './key-holders.ts'
export { trackSecretOf } from './track-secret.ts'
