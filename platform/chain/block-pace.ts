import type { BlockPlace } from './chain-values.ts'

type BlockTime = Pick<BlockPlace, 'number' | 'timestamp'>

/** Learns how often blocks come. */
export type BlockPace = {
  add(blocks: readonly BlockTime[]): void
  /** ms between looks at the head that find a block soon after it came, and ask little of the node. */
  readonly pollMs: number
}

/** Blocks over which their time is averaged: timestamps are whole seconds, of which there may be several blocks. */
const averagedBlocks = 20

/** A block is found within a quarter of the time until the next one. */
const looksPerBlock = 4

const shortestPollMs = 200
/** A chain that rested may hurry again: its next blocks are not waited for as long as those before. */
const longestPollMs = 1_000

export function createBlockPace(): BlockPace {
  let newest: BlockTime[] = []
  return {
    add(blocks) {
      const told = blocks.at(0)?.number ?? 0
      // After a reorganisation the blocks from there on are others.
      newest = [...newest.filter(({ number }) => number < told), ...blocks].slice(-averagedBlocks)
    },
    get pollMs() {
      const [first, last] = [newest.at(0), newest.at(-1)]
      if (first === undefined || last === undefined || first.number === last.number) return longestPollMs
      const blockMs = ((last.timestamp - first.timestamp) * 1_000) / (last.number - first.number)
      return Math.min(longestPollMs, Math.max(shortestPollMs, Math.round(blockMs / looksPerBlock)))
    },
  }
}
