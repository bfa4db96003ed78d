export { createIssueReceipt, createSignAgain, type IssueReceipt, type SignAgain } from './issue-receipt.ts'
export { createReceiptStore, type ReceiptStore, receiptMigrations } from './receipt-store.ts'
export { createRenewReceipt } from './renew-receipt.ts'
