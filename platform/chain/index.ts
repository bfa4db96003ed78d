export { type ChainReader, createChainReader } from './chain-reader.ts'
export { type Block, type ChainLog, MalformedAnswer } from './chain-values.ts'
export type { KnownBlock } from './fetch-range.ts'
export { type ChainEvent, type FollowOptions, followChain } from './follow-chain.ts'
export { eachHeader, type Header, readHeaders, readReceipts } from './headers.ts'
export { ReorgTooDeep } from './known-blocks.ts'
export {
  OutboxConflict,
  type OutboxItem,
  outboxMigrations,
  type TransactionState,
  type TransactionStatus,
} from './outbox.ts'
export { decodeRevert } from './revert-reason.ts'
export { createRpc, type Rpc, RpcError, RpcUnavailable } from './rpc.ts'
export { createSender, type Sender, type SenderOptions, WrongChain } from './sender.ts'
