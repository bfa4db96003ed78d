export { createIssueReceipt, type IssueReceipt } from './issue-receipt.ts'
export { createReceiptStore, type ReceiptStore, receiptMigrations } from './receipt-store.ts'
