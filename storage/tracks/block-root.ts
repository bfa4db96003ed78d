import { hash } from 'node:crypto'
import { type BlockRoot, hashBlock } from '@hexachord/protocol/storage-root'

/** Root of one block of a storage root, by the processor's own sha256. A megabyte takes about ten milliseconds.
 * @throws StorageRootError when the block is empty or larger than 1 MiB */
export function blockRoot(bytes: Uint8Array): BlockRoot {
  return hashBlock(bytes, (input) => hash('sha256', input, 'buffer'))
}
