import { concatBytes } from '@noble/hashes/utils.js'
import { encodeRlp, getBytes, hexlify, type RlpStructuredDataish } from 'ethers'
import { createByteReader } from '../cars/index.ts'
import { maximumBlockBytes } from '../cids/index.ts'
import { ArchiveError } from './archive-error.ts'
import { decodeList, numberBytes, numberOf, textOf } from './receipts.ts'

/** A block of the chain in which there may be logs of the network, with all its receipts: nothing less hashes to what
 * its header says. */
export type ArchivedBlock = {
  readonly number: number
  readonly hash: string
  /** Unix time in whole seconds. */
  readonly timestamp: number
  /** As `encodeReceipt` makes them, in the order of the transactions. */
  readonly receipts: readonly Uint8Array[]
}

/** Far above any block of any chain; a bound on memory, no more. */
const maximumArchivedBytes = 64 << 20

/**
 * The bytes of an archive in parts that fit into a block each: RLP of [number, hash, timestamp, receipts] for each
 * block, one after the other, cut at every 1 MiB.
 */
export async function* archiveParts(
  blocks: AsyncIterable<ArchivedBlock>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let part = new Uint8Array(maximumBlockBytes)
  let filled = 0
  for await (const block of blocks) {
    let rest = getBytes(encodeRlp(bytesFields(block)))
    while (rest.length > 0) {
      const taken = rest.subarray(0, maximumBlockBytes - filled)
      part.set(taken, filled)
      filled += taken.length
      rest = rest.subarray(taken.length)
      if (filled < maximumBlockBytes) continue
      yield part
      part = new Uint8Array(maximumBlockBytes)
      filled = 0
    }
  }
  if (filled > 0) yield part.slice(0, filled)
}

/** The blocks that parts hold, in ascending order. @throws ArchiveError; what the parts throw */
export async function* archivedBlocks(
  parts: AsyncIterable<Uint8Array>,
): AsyncGenerator<ArchivedBlock, void, undefined> {
  const reader = createByteReader(parts)
  let last = -1
  for (;;) {
    const prefix = await reader.take(1)
    const [first] = prefix
    if (first === undefined) return
    if (first < 0xf8) throw new ArchiveError('an archive is a sequence of long lists')
    const size = await reader.take(first - 0xf7)
    const length = size.reduce((sum, byte) => sum * 256 + byte, 0)
    if (length > maximumArchivedBytes) throw new ArchiveError(`a block of ${length} bytes is none`)
    const body = await reader.take(length)
    if (body.length < length) throw new ArchiveError('the archive is cut off')
    const block = blockOf(concatBytes(prefix, size, body))
    if (block.number <= last) throw new ArchiveError(`block ${block.number} stands out of order`)
    last = block.number
    yield block
  }
}

function blockOf(bytes: Uint8Array): ArchivedBlock {
  const [number, hash, timestamp, receipts, ...rest] = decodeList(bytes, 'a block')
  if (!Array.isArray(receipts) || rest.length > 0) throw new ArchiveError('a block has no receipts')
  const block = {
    number: numberOf(number),
    hash: textOf(hash),
    timestamp: numberOf(timestamp),
    receipts: receipts.map((receipt) => getBytes(textOf(receipt))),
  }
  // One content has one name: no other spelling of the same is taken.
  if (encodeRlp(bytesFields(block)) !== hexlify(bytes))
    throw new ArchiveError('a block is not in canonical form')
  return block
}

function bytesFields({ number, hash, timestamp, receipts }: ArchivedBlock): RlpStructuredDataish[] {
  return [numberBytes(number), hash, numberBytes(timestamp), [...receipts]]
}
