import { dataLength, encodeRlp, hexlify, keccak256, type RlpStructuredData, toBeArray } from 'ethers'
import type { Hash } from '../names/index.ts'

type Entry = { readonly nibbles: readonly number[]; readonly value: string }

/**
 * Root of the Merkle-Patricia trie over a list, keyed by the RLP of each index: how a block's header names its
 * receipts (Ethereum yellow paper, appendix D).
 */
export function orderedTrieRoot(values: readonly Uint8Array[]): Hash {
  const entries = values.map((value, index) => ({
    nibbles: nibblesOf(encodeRlp(toBeArray(index))),
    value: hexlify(value),
  }))
  return keccak256(encodeRlp(entries.length === 0 ? '0x' : nodeOf(entries, 0))) as Hash
}

function nodeOf(entries: readonly Entry[], depth: number): RlpStructuredData {
  const [first] = entries
  if (first === undefined) return '0x'
  if (entries.length === 1) return [pathOf(first.nibbles.slice(depth), true), first.value]
  const shared = sharedLength(entries, depth)
  if (shared > 0) {
    return [pathOf(first.nibbles.slice(depth, depth + shared), false), referenceTo(entries, depth + shared)]
  }
  const branches = Array.from({ length: 16 }, (_, nibble) => {
    const below = entries.filter(({ nibbles }) => nibbles[depth] === nibble)
    return below.length === 0 ? '0x' : referenceTo(below, depth + 1)
  })
  // No key of a list is the beginning of another: a branch has no value of its own.
  return [...branches, '0x']
}

/** A node of less than 32 bytes stands in its parent itself. */
function referenceTo(entries: readonly Entry[], depth: number): RlpStructuredData {
  const node = nodeOf(entries, depth)
  const encoded = encodeRlp(node)
  return dataLength(encoded) < 32 ? node : keccak256(encoded)
}

function sharedLength(entries: readonly Entry[], depth: number): number {
  const [first, ...others] = entries
  const end = first?.nibbles.length ?? depth
  let length = 0
  while (
    depth + length < end &&
    others.every(({ nibbles }) => nibbles[depth + length] === first?.nibbles[depth + length])
  ) {
    length += 1
  }
  return length
}

/** Hex-prefix encoding (appendix C): a flag for leaves, and one for an odd number of nibbles. */
function pathOf(nibbles: readonly number[], isLeaf: boolean): string {
  const flag = (isLeaf ? 2 : 0) + (nibbles.length % 2)
  const padded = nibbles.length % 2 === 1 ? [flag, ...nibbles] : [flag, 0, ...nibbles]
  return `0x${padded.map((nibble) => nibble.toString(16)).join('')}`
}

function nibblesOf(hex: string): number[] {
  return Array.from(hex.slice(2), (digit) => Number.parseInt(digit, 16))
}
