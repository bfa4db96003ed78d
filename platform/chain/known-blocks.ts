import type { ChainReader } from './chain-reader.ts'
import type { KnownBlock } from './fetch-range.ts'

/** The chain no longer contains what was final. An index on it cannot be mended, only rebuilt. */
export class ReorgTooDeep extends Error {
  override readonly name = 'ReorgTooDeep'
}

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

/** Known blocks compared with the chain per request. */
const comparedAtOnce = 50

/**
 * The newest block that is both known and on the chain; `startBlock - 1` when everything since the start has to go.
 * @param options.floor the oldest block to which a reorganisation may reach
 * @throws ReorgTooDeep when the common block is older than `floor` or older than every known one
 */
export async function findCommonBlock(options: {
  reader: ChainReader
  known: KnownBlocks
  startBlock: number
  floor: number
}): Promise<number> {
  const { reader, startBlock, floor } = options
  const known = options.known.list()
  for (let start = 0; start < known.length; start += comparedAtOnce) {
    const compared = known.slice(start, start + comparedAtOnce)
    const heads = await reader.blocks(compared.map(({ number }) => number))
    const common = compared.find(({ hash }, index) => heads[index]?.hash === hash)
    if (common !== undefined) {
      if (common.number >= floor) return common.number
      throw tooDeep(`block ${common.number} is the newest that is still on the chain, but ${floor} was final`)
    }
  }
  const oldest = known.at(-1)
  if ((oldest === undefined || oldest.number <= startBlock) && startBlock - 1 >= floor) return startBlock - 1
  throw tooDeep(`no known block, down to ${oldest?.number ?? startBlock}, is on the chain any more`)
}

function tooDeep(what: string): ReorgTooDeep {
  return new ReorgTooDeep(
    `the chain was reorganised deeper than its finality: ${what}. Check the node and its network; if they are right, rebuild the index`,
  )
}
