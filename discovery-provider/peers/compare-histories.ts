import type { Hash } from '@hexachord/protocol/names'

/** What a provider says of a block. */
export type ServedBlock = {
  /** Null when it is not kept. */
  readonly hash: Hash | null
  /** Of the catalogue after it. */
  readonly stateHash: Hash
}

export type HistoryComparison =
  /** The newest block after which both have the same. */
  | { readonly outcome: 'agrees'; readonly block: number }
  /** The first block after which they have not. */
  | { readonly outcome: 'diverges'; readonly block: number }

/**
 * Compares what two providers have made of one chain. Each state hash holds the one before it, so that two histories
 * never meet again: the newest common block tells whether they agree, and bisection where they part. Above finality
 * they may stand on two forks for a moment, which is no divergence.
 * @param head the newest block that both have indexed
 * @param finalized the newest block that is final for both
 */
export async function compareHistories({
  ours,
  theirs,
  firstBlock,
  head,
  finalized,
}: {
  ours: (block: number) => Promise<ServedBlock>
  theirs: (block: number) => Promise<ServedBlock>
  firstBlock: number
  head: number
  finalized: number
}): Promise<HistoryComparison> {
  const both = (block: number) => Promise.all([ours(block), theirs(block)])
  const isSame = async (block: number) => {
    const [mine, its] = await both(block)
    return mine.stateHash === its.stateHash
  }
  if (head < firstBlock) return { outcome: 'agrees', block: firstBlock - 1 }
  const [mine, its] = await both(head)
  if (mine.stateHash === its.stateHash) return { outcome: 'agrees', block: head }
  let other = head
  if (mine.hash === null || mine.hash !== its.hash) {
    if (finalized < firstBlock) return { outcome: 'agrees', block: firstBlock - 1 }
    if (await isSame(finalized)) return { outcome: 'agrees', block: finalized }
    other = finalized
  }
  // Before the first block there is nothing, and everybody agrees on that.
  let same = firstBlock - 1
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2)
    if (await isSame(middle)) same = middle
    else other = middle
  }
  return { outcome: 'diverges', block: other }
}
