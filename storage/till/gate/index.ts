export { createTillGate, shareTooSmall, type TillGate } from './gate.ts'
export { openPaidBlocks, type PaidBlock, type PaidBlocks } from './paid-blocks.ts'
export { createTokenBucket, type TokenBucket } from './token-bucket.ts'
export { readPaymentSignature, type TokenNetwork } from './x402.ts'
