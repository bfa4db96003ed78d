export { createEmbeddedIpfs, type EmbeddedIpfsOptions } from './embedded.ts'
export type { EmbeddedIpfs } from './embedded-node.ts'
export {
  type AbortOptions,
  BlockNotFound,
  BlockTooLarge,
  BlockUnavailable,
  type Collected,
  type CollectOptions,
  DirectoryLocked,
  type FetchOptions,
  type IpfsNode,
  ListenFailed,
  MissingBlock,
  NodeClosed,
  type PinnedSize,
  type PinOptions,
  PinTooLarge,
  type RegisteredPeer,
  StorageFull,
  type StoredBlock,
  type Usage,
  type Verdict,
} from './ipfs-node.ts'
export { ipfsMigrations } from './pin-table.ts'
