export { type CountedCopy, type CountedOperator, countCopies } from './count-copies.ts'
export {
  maximumProofBlocks,
  type Proof,
  type ProofRequest,
  proofHash,
  proofRequestSchema,
  proofSchema,
  proofSigner,
  signProof,
} from './proofs.ts'
export {
  fullCopies,
  neededCopies,
  type Receipt,
  receiptSchema,
  receiptSeconds,
  receiptSigner,
  renewReceiptSeconds,
  signReceipt,
} from './receipts.ts'
