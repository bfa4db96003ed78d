export { type ChainReader, createChainReader, type LogFilter } from './chain-reader.ts'
export { type Block, bigintField, type ChainLog, MalformedAnswer } from './chain-values.ts'
export type { KnownBlock } from './fetch-range.ts'
export { findCommonBlock, ReorgTooDeep } from './find-common-block.ts'
export { type ChainEvent, type FollowOptions, followChain } from './follow-chain.ts'
export { eachHeader, type Header, readHeaders, readReceipts } from './headers.ts'
export {
  OutboxConflict,
  type OutboxItem,
  outboxMigrations,
  type TransactionState,
  type TransactionStatus,
} from './outbox.ts'
export { costOfTransaction, refusal } from './receipts.ts'
export { decodeRevert } from './revert-reason.ts'
export { createRpc, type Rpc, RpcError, RpcUnavailable } from './rpc.ts'
export { createSender, type Sender, type SenderOptions, WrongChain } from './sender.ts'
