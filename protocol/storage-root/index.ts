export {
  type BlockRoot,
  type Entry,
  hashBlock,
  type LeafProof,
  leafBytes,
  proveLeaf,
  type StorageRoot,
  StorageRootError,
  storageRoot,
  verifyLeaf,
} from './storage-root.ts'
export type { Sha256 } from './tree.ts'
