export { type Backend, StoreTaken } from './claim-store.ts'
export type { ConnectedIpfs } from './compose-node.ts'
export { createEmbeddedIpfs, type EmbeddedIpfsOptions } from './embedded.ts'
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
export { KuboFailed, KuboRefused, KuboUnavailable } from './kubo/rpc-failure.ts'
export { type IpfsBackend, openIpfs } from './open.ts'
export { ipfsMigrations, type PinnedBlocks, pinnedBlocks } from './pin-table.ts'
export { throughRestarts } from './through-restarts.ts'
export { verifyBytes } from './verify-bytes.ts'
