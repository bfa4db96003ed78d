export { loadNativeRecovery, type NativeRecovery, NativeRecoveryMissing } from './native-recover.ts'
export { createVoucherSigners, type VoucherSigners } from './voucher-signers.ts'
