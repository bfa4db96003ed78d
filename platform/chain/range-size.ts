/** How many blocks to ask for at once; follows what the node bears and how many logs its blocks hold. */
export type RangeSize = {
  readonly blocks: number
  /** A range was answered. `logs` is how many one of that size is to be reckoned with. */
  succeeded(range: { blocks: number; logs: number }): void
  /** The node found a range too large; `suggested` is a size that it said it would serve. */
  failed(range: { blocks: number; suggested?: number | null }): void
}

/** Enough logs to make one database transaction worth its cost, few enough to keep in memory. */
const targetLogs = 1_000

/** Nobody knows yet how many logs they hold, and a thousand blocks of a busy chain would not fit into memory. */
const firstBlocks = 100

/** How many good answers make it worth trying a size again that once failed; if it is served, the limit is gone. */
const forgivenAfter = 50

export function createRangeSize(options: { maxBlocks: number }): RangeSize {
  let blocks = Math.min(firstBlocks, options.maxBlocks)
  /** The smallest size known to fail; sizes approach it by halves of the distance. */
  let tooLarge = Number.POSITIVE_INFINITY
  let served = 0
  let successes = 0

  function largest(): number {
    if (tooLarge > options.maxBlocks) return options.maxBlocks
    return Math.floor((served + tooLarge) / 2)
  }

  return {
    get blocks() {
      return blocks
    },
    succeeded(range) {
      successes += 1
      served = Math.max(served, range.blocks)
      // A short range, such as the last one before the head, says little about what a long one would hold.
      if (range.blocks < blocks && range.logs < targetLogs) return
      const wanted = range.logs === 0 ? Number.POSITIVE_INFINITY : (range.blocks * targetLogs) / range.logs
      let limit = largest()
      if (successes >= forgivenAfter && tooLarge < options.maxBlocks) {
        limit = tooLarge
        tooLarge = Number.POSITIVE_INFINITY
        successes = 0
      }
      // Where something has begun, more may follow soon.
      const growth = range.logs === 0 ? 10 : 2
      blocks = Math.max(1, Math.floor(Math.min(wanted, blocks * growth, limit)))
    },
    failed(range) {
      successes = 0
      if (served >= range.blocks) served = 0
      const suggested = range.suggested ?? 0
      const next = suggested > 0 && suggested < range.blocks ? suggested : served || range.blocks / 2
      tooLarge = Math.min(tooLarge, next === suggested ? suggested + 1 : range.blocks)
      blocks = Math.max(1, Math.floor(next))
    },
  }
}

/**
 * The range size that a provider's error message proposes, or null. Providers write either a range to try,
 * `[0x10, 0x1f]`, or a limit, `up to a 2,000 block range`, `limited to 10000 blocks`.
 */
export function suggestedBlocks(message: string): number | null {
  const range = /\[(0x[0-9a-f]+),\s*(0x[0-9a-f]+)\]/i.exec(message)
  if (range !== null) return positive(Number(range[2]) - Number(range[1]) + 1)
  const limit = /(\d[\d,]*)[- ]blocks?\b/i.exec(message)
  return limit?.[1] === undefined ? null : positive(Number(limit[1].replaceAll(',', '')))
}

function positive(size: number): number | null {
  return Number.isSafeInteger(size) && size > 0 ? size : null
}
