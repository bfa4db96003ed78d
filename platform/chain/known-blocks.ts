import type { KnownBlock } from './fetch-range.ts'

/** The blocks up to which a follower has read, as far down as they could still be replaced. */
export type KnownBlocks = {
  /** The newest, or null before the first range. */
  readonly last: KnownBlock | null
  add(blocks: readonly KnownBlock[]): void
  /** Forgets blocks that cannot be replaced any more, all but the newest of them. */
  finalize(finalized: number): void
  hashOf(number: number): string | null
  /** Forgets every block above. */
  rollBackTo(number: number): void
  /** Newest first. */
  list(): KnownBlock[]
}

export function createKnownBlocks(initial: readonly KnownBlock[]): KnownBlocks {
  let ascending = [...initial].sort((left, right) => left.number - right.number)
  return {
    get last() {
      return ascending.at(-1) ?? null
    },
    add(blocks) {
      ascending.push(...blocks.map(({ number, hash }) => ({ number, hash })))
    },
    finalize(finalized) {
      const newestFinal = ascending.findLastIndex(({ number }) => number <= finalized)
      if (newestFinal > 0) ascending = ascending.slice(newestFinal)
    },
    hashOf: (number) => ascending.findLast((block) => block.number === number)?.hash ?? null,
    rollBackTo(number) {
      ascending = ascending.filter((block) => block.number <= number)
    },
    list: () => ascending.toReversed(),
  }
}
