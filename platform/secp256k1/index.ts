export {
  type KeyRecovery,
  KeyRecoveryMissing,
  keyRecoveries,
  loadKeyRecovery,
} from './key-recovery.ts'
