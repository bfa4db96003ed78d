/** Tells of most keys that were never added that they were not, in a few bytes for each key that was (Bloom 1970). */
export type KeyFilter = {
  add(key: string): void
  /** False only of a key that was never added. */
  mayHave(key: string): boolean
}

/** 4 MiB: one key in four hundred is mistaken when there are two million, one in four when there are ten. */
const filterBits = 2 ** 25
/** Odd numbers, each of which makes another place of the same hash. */
const spreads = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const
const placeBits = 25

export function createKeyFilter(): KeyFilter {
  const words = new Uint32Array(filterBits / 32)

  return {
    add(key) {
      const hash = hashOf(key)
      for (const spread of spreads) {
        const place = placeOf(hash, spread)
        words[place >>> 5] = (words[place >>> 5] ?? 0) | (1 << (place & 31))
      }
    },
    mayHave(key) {
      const hash = hashOf(key)
      for (const spread of spreads) {
        const place = placeOf(hash, spread)
        if (((words[place >>> 5] ?? 0) & (1 << (place & 31))) === 0) return false
      }
      return true
    },
  }
}

/** The high bits of a product depend on all bits of the hash. */
function placeOf(hash: number, spread: number): number {
  return Math.imul(hash ^ (hash >>> 15), spread) >>> (32 - placeBits)
}

/** FNV-1a of the code units, 32 bits. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1)
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
