import { sha256 as portableSha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { maximumBlockBytes, parseCid } from '../cids/index.ts'
import type { Hash } from '../names/index.ts'
import { climb, heightOf, levelsOf, pathOf, type Sha256 } from './tree.ts'

/**
 * What an operator promises to hold, as one hash of which any 256 bytes can be proven, on chain too.
 *
 * A block is cut into leaves of 256 bytes, the last filled up with zeros; a sha256 tree over the leaves'
 * hashes gives the block's root. Over the blocks stands a second tree, of
 * sha256(block root 32 ‖ first leaf uint64 ‖ length uint64 ‖ CID digest 32), big-endian, in the order of
 * `blocksOf(track)`. The first leaf is the count of leaves in all blocks before: it lets a verifier who
 * asks for leaf n of a track see that the answer is leaf n and no other.
 *
 * One kind of node cannot be shown as another: what is hashed is 256 bytes long for a leaf, 64 for a node
 * and 80 for an entry. A block's length is part of its entry, so zeros at its end count; and it gives the
 * number of leaves, hence the length of the path, which a verifier insists on.
 */
export const leafBytes = 256

/** A block as it enters the storage root. */
export type BlockRoot = { readonly root: Hash; readonly leafCount: number; readonly byteLength: number }
export type Entry = { readonly cid: string; readonly root: Hash; readonly byteLength: number }
/** Fields of a receipt. `leafCount` counts leaves of data, `byteLength` is without padding. */
export type StorageRoot = { readonly root: Hash; readonly leafCount: number; readonly byteLength: number }

/** Proof that a leaf of 256 bytes stands at a place under a storage root. */
export type LeafProof = {
  readonly leaf: Uint8Array
  readonly leafPath: readonly Hash[]
  readonly cid: string
  readonly byteLength: number
  readonly firstLeaf: number
  readonly entryIndex: number
  readonly entryPath: readonly Hash[]
}

/** Blocks that no storage root can stand over. */
export class StorageRootError extends Error {
  override readonly name = 'StorageRootError'
}

/** Root of one block.
 * @param sha256 default: one in JavaScript that runs anywhere; a server passes node:crypto's, which is
 * almost twice as fast here. (WebCrypto answers by a promise per leaf, which is many times slower.)
 * @throws StorageRootError when the block is empty or larger than 1 MiB */
export function hashBlock(bytes: Uint8Array, sha256: Sha256 = portableSha256): BlockRoot {
  return {
    root: toHex(levelsOf(hashLeaves(bytes, sha256), sha256).at(-1)),
    leafCount: leafCountOf(bytes.length),
    byteLength: bytes.length,
  }
}

/** Root over blocks in the order of `blocksOf(track)`. @throws StorageRootError, CidError */
export function storageRoot(entries: readonly Entry[]): StorageRoot {
  return {
    root: toHex(levelsOf(hashEntries(entries), portableSha256).at(-1)),
    leafCount: sum(entries.map(({ byteLength }) => leafCountOf(byteLength))),
    byteLength: sum(entries.map(({ byteLength }) => byteLength)),
  }
}

/** Proves leaf `index` of all leaves under a storage root.
 * @param block reads a block's bytes
 * @throws StorageRootError when there is no such leaf */
export async function proveLeaf(
  entries: readonly Entry[],
  index: number,
  block: (cid: string) => Promise<Uint8Array>,
): Promise<LeafProof> {
  if (!Number.isSafeInteger(index)) throw new StorageRootError(`there is no leaf ${index}`)
  const firsts = firstLeaves(entries)
  const entryIndex = firsts.findLastIndex((first) => first <= index)
  const entry = entries[entryIndex]
  const firstLeaf = firsts[entryIndex]
  if (entry === undefined || firstLeaf === undefined || index - firstLeaf >= leafCountOf(entry.byteLength)) {
    throw new StorageRootError(`there is no leaf ${index}`)
  }
  const bytes = await block(entry.cid)
  const levels = levelsOf(hashLeaves(bytes, portableSha256), portableSha256)
  return {
    leaf: leafAt(bytes, index - firstLeaf),
    leafPath: pathOf(levels, index - firstLeaf, portableSha256).map(toHex),
    cid: entry.cid,
    byteLength: entry.byteLength,
    firstLeaf,
    entryIndex,
    entryPath: pathOf(levelsOf(hashEntries(entries), portableSha256), entryIndex, portableSha256).map(toHex),
  }
}

/** Whether a proof shows leaf `index` under a storage root.
 * @throws CidError, StorageRootError when what the proof says of its block cannot be of any block */
export function verifyLeaf(root: Hash, index: number, proof: LeafProof): boolean {
  if (![index, proof.firstLeaf, proof.entryIndex].every(isNatural)) return false
  const place = index - proof.firstLeaf
  const leafCount = leafCountOf(proof.byteLength)
  if (proof.leaf.length !== leafBytes || place < 0 || place >= leafCount) return false
  if (proof.leafPath.length !== heightOf(leafCount)) return false
  if (proof.entryIndex >= 2 ** proof.entryPath.length) return false
  const blockRoot = climb(portableSha256(proof.leaf), place, proof.leafPath.map(fromHex), portableSha256)
  const entry = hashEntry({ ...proof, root: toHex(blockRoot) }, proof.firstLeaf)
  return toHex(climb(entry, proof.entryIndex, proof.entryPath.map(fromHex), portableSha256)) === root
}

function hashLeaves(bytes: Uint8Array, sha256: Sha256): Uint8Array {
  const count = leafCountOf(bytes.length)
  const hashes = new Uint8Array(count * 32)
  for (let i = 0; i < count - 1; i++) {
    hashes.set(sha256(bytes.subarray(i * leafBytes, (i + 1) * leafBytes)), i * 32)
  }
  hashes.set(sha256(leafAt(bytes, count - 1)), (count - 1) * 32)
  return hashes
}

function leafAt(bytes: Uint8Array, index: number): Uint8Array {
  const leaf = new Uint8Array(leafBytes)
  leaf.set(bytes.subarray(index * leafBytes, (index + 1) * leafBytes))
  return leaf
}

function hashEntries(entries: readonly Entry[]): Uint8Array {
  if (entries.length === 0) throw new StorageRootError('a storage root stands over one block at least')
  const firsts = firstLeaves(entries)
  return concatBytes(...entries.map((entry, i) => hashEntry(entry, firsts[i] ?? 0)))
}

function hashEntry(entry: Entry, firstLeaf: number): Uint8Array {
  const numbers = new Uint8Array(16)
  const view = new DataView(numbers.buffer)
  view.setBigUint64(0, BigInt(firstLeaf))
  view.setBigUint64(8, BigInt(entry.byteLength))
  return portableSha256(concatBytes(fromHex(entry.root), numbers, parseCid(entry.cid).digest))
}

function firstLeaves(entries: readonly Entry[]): number[] {
  let count = 0
  return entries.map(({ byteLength }) => {
    const first = count
    count += leafCountOf(byteLength)
    return first
  })
}

function isNatural(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0
}

function leafCountOf(byteLength: number): number {
  if (!Number.isInteger(byteLength) || byteLength < 1 || byteLength > maximumBlockBytes) {
    throw new StorageRootError(`a block has 1 to ${maximumBlockBytes} bytes, not ${byteLength}`)
  }
  return Math.ceil(byteLength / leafBytes)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function toHex(bytes: Uint8Array = new Uint8Array()): Hash {
  return `0x${bytesToHex(bytes)}`
}

function fromHex(hash: Hash): Uint8Array {
  return hexToBytes(hash.slice(2))
}
