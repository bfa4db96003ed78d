export { loadNativeRecovery, type NativeRecovery } from './native-recover.ts'
export { createVoucherSigners, type VoucherSigners } from './voucher-signers.ts'
