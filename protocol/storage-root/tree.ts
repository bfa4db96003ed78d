import { concatBytes } from '@noble/hashes/utils.js'

/** sha2-256, 32 bytes. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

/**
 * Every level of a binary sha256 tree, from its leaves (hashes of 32 bytes, one after the other) to its
 * root. A tree stands on a power of two of leaves: those that are missing are 32 zero bytes, which nothing
 * hashes to, so that neither adding nor dropping leaves at the end can keep the root.
 * @returns levels, leaves first; the last holds the root alone
 */
export function levelsOf(leaves: Uint8Array, sha256: Sha256): Uint8Array[] {
  const levels = [leaves]
  let level = leaves
  let padding: Uint8Array = new Uint8Array(32)
  while (level.length > 32) {
    const width = level.length / 32
    const parents = new Uint8Array(Math.ceil(width / 2) * 32)
    for (let i = 0; i + 1 < width; i += 2) {
      parents.set(sha256(level.subarray(i * 32, i * 32 + 64)), i * 16)
    }
    if (width % 2 === 1) {
      parents.set(sha256(concatBytes(level.subarray(-32), padding)), parents.length - 32)
    }
    padding = sha256(concatBytes(padding, padding))
    levels.push(parents)
    level = parents
  }
  return levels
}

/** The siblings on the way from a leaf to the root, lowest first. */
export function pathOf(levels: readonly Uint8Array[], index: number, sha256: Sha256): Uint8Array[] {
  let padding: Uint8Array = new Uint8Array(32)
  return levels.slice(0, -1).map((level, height) => {
    const sibling = Math.floor(index / 2 ** height) ^ 1
    const beyond = padding
    padding = sha256(concatBytes(padding, padding))
    return sibling * 32 < level.length ? level.slice(sibling * 32, sibling * 32 + 32) : beyond
  })
}

/** The root to which a leaf at an index leads over a path. */
export function climb(leaf: Uint8Array, index: number, path: readonly Uint8Array[], sha256: Sha256) {
  return path.reduce(
    (node, sibling, height) =>
      sha256(
        Math.floor(index / 2 ** height) % 2 === 0 ? concatBytes(node, sibling) : concatBytes(sibling, node),
      ),
    leaf,
  )
}

/** Length of every path in a tree. */
export function heightOf(leafCount: number): number {
  return Math.ceil(Math.log2(leafCount))
}
