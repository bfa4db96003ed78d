import { setTimeout as delay } from 'node:timers/promises'
import type { ChainReader } from './chain-reader.ts'
import { type Block, MalformedAnswer } from './chain-values.ts'
import type { KnownBlock } from './fetch-range.ts'

/** The chain no longer contains what was final. An index on it cannot be mended, only rebuilt. */
export class ReorgTooDeep extends Error {
  override readonly name = 'ReorgTooDeep'
}

export type CommonBlockOptions = {
  reader: ChainReader
  /** Newest first. */
  known: readonly KnownBlock[]
  startBlock: number
  /** The oldest block to which a reorganisation may reach. */
  floor: number
  /** Ends the waiting between two looks. */
  signal?: AbortSignal
}

/** Known blocks compared with the chain per request. */
const comparedAtOnce = 50

/** Before an index is given up, the nodes are asked again: one behind a balancer may be on a branch of its own. */
const pausesMs = [250, 500, 1_000]

/**
 * The newest block that is both known and on the chain; `startBlock - 1` when everything since the start has to go. Only
 * another hash tells that a block was replaced: a node that has none yet says nothing.
 * @throws ReorgTooDeep when every node has others in place of blocks that were final, and still has when it is asked
 * again; MalformedAnswer, which may pass, when nodes lag, are away or disagree about it; and what the reader throws
 */
export async function findCommonBlock(options: CommonBlockOptions): Promise<number> {
  const { reader, signal } = options
  for (let look = 0; ; look += 1) {
    const found = await compare(options)
    if (typeof found === 'number') return found
    const { number, hash } = found.block
    const fate = await reader.fateOf(found.block)
    if (fate === 'unknown') {
      throw new MalformedAnswer(
        `block ${number} ${hash}, which was final, is not what a node has there; others that may know lag or are away`,
      )
    }
    const pauseMs = pausesMs[look]
    if (pauseMs !== undefined) await delay(pauseMs, undefined, { signal })
    else if (fate === 'kept')
      throw new MalformedAnswer(`nodes disagree about block ${number}, which was final`)
    else throw tooDeep(found)
  }
}

/** The oldest of the known blocks that were replaced, when that goes too deep. */
type TooDeep = { block: KnownBlock; now: string }

/** @throws MalformedAnswer when the node does not have a block by which it could be told */
async function compare({ reader, known, startBlock, floor }: CommonBlockOptions): Promise<number | TooDeep> {
  let above: { block: KnownBlock; head: Block | null } | undefined
  for (let start = 0; start < known.length; start += comparedAtOnce) {
    const compared = known.slice(start, start + comparedAtOnce)
    const heads = await reader.blocks(compared.map(({ number }) => number))
    for (const [index, block] of compared.entries()) {
      const head = heads[index] ?? null
      if (head?.hash === block.hash) {
        if (above === undefined) return block.number
        const replaced = replacement(above)
        return block.number >= floor ? block.number : replaced
      }
      above = { block, head }
    }
  }
  if (above === undefined) return startBlock - 1
  const replaced = replacement(above)
  return above.block.number <= startBlock && startBlock - 1 >= floor ? startBlock - 1 : replaced
}

function replacement({ block, head }: { block: KnownBlock; head: Block | null }): TooDeep {
  if (head !== null) return { block, now: head.hash }
  throw new MalformedAnswer(`the node does not have block ${block.number}, which was read before: it lags`)
}

function tooDeep({ block: { number, hash }, now }: TooDeep): ReorgTooDeep {
  return new ReorgTooDeep(
    `the chain was reorganised deeper than its finality: block ${number} was ${hash} and final, and is ${now} now. Look first at the nodes of the chain: whether they are of the right network, and what others say of that block. Only if they are right, rebuild the index`,
  )
}
