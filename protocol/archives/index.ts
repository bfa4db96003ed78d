export {
  type Archive,
  type ArchivedNetwork,
  archivedNetwork,
  checkPlace,
  decodeArchive,
  encodeArchive,
  epochOfBlock,
  lastBlockOf,
  partsOf,
} from './archive.ts'
export { ArchiveError } from './archive-error.ts'
export { type ArchivedBlock, archivedBlocks, archiveParts } from './archived-block.ts'
export { mayHoldLogs } from './bloom.ts'
export { type ArchiveEntry, archiveEntrySchema } from './listing.ts'
export { orderedTrieRoot } from './ordered-trie.ts'
export { type ProvableHeader, type ProvenLog, proveBlocks, provenLogs } from './prove-logs.ts'
export { encodeReceipt, logsOfReceipt } from './receipts.ts'
