import { setTimeout as delay } from 'node:timers/promises'
import type { BloomDoubt } from './bloom-doubt.ts'
import type { ChainReader, LogFilter } from './chain-reader.ts'
import { type Block, type BlockPlace, type ChainLog, MalformedAnswer } from './chain-values.ts'

/** A block whose hash is known. */
export type KnownBlock = { number: number; hash: string }

/** Logs of a range, and the blocks in which they are. */
export type FetchedRange = { toBlock: number; logs: ChainLog[]; blocks: BlockPlace[] }

/** Two answers of the node do not fit together: the chain changed in between, or another node answered. */
export class ChainChanged extends Error {
  override readonly name = 'ChainChanged'
}

/** The block before the range is no longer on the chain. */
export class ParentReplaced extends Error {
  override readonly name = 'ParentReplaced'
}

export type RangeRequest = {
  reader: ChainReader
  filter: LogFilter
  fromBlock: number
  toBlock: number
  /** The block before the range, when one was read before. */
  parent: KnownBlock | null
  /** Of the same filter, for all ranges of a follower. */
  doubt: BloomDoubt
  /** Ends the waiting for a node that lags. */
  signal: AbortSignal
}

/** Of several nodes behind a balancer one tells of a block that another does not have yet, and a node may have a block
 * before its receipts: it will soon. */
const pausesMs = [100, 200, 400]

/**
 * A range of final blocks: logs in one request, then the head of the last block, and of those with logs where the node
 * does not put their time into the logs.
 * @throws ChainChanged, ParentReplaced, and what the reader throws
 */
export async function fetchFinalRange(range: RangeRequest): Promise<FetchedRange> {
  const { reader, filter, fromBlock, toBlock } = range
  const logs = await reader.logs({ ...filter, fromBlock, toBlock })
  const told = new Map<number, BlockPlace>()
  for (const { blockNumber: number, blockHash: hash, blockTimestamp: timestamp } of logs) {
    if (timestamp !== null && number !== toBlock) told.set(number, { number, hash, timestamp })
  }
  const untold = logs.map((log) => log.blockNumber).filter((number) => !told.has(number))
  const heads = await fetchHeads(range, [...new Set([...untold, toBlock])])
  await checkFinal(range, heads, logs)
  const blocks = [...told.values(), ...heads.map(placeOf)].sort((left, right) => left.number - right.number)
  return { toBlock, logs: withTimestamps(logs, blocks), blocks }
}

/**
 * A range that may still change: every head, linked by parent hashes, then the logs of each by block hash, which
 * names one block and no other however the chain moves meanwhile (EIP-234).
 * @throws ChainChanged, ParentReplaced, and what the reader throws
 */
export async function fetchOpenRange(range: RangeRequest): Promise<FetchedRange> {
  const { fromBlock, toBlock, parent } = range
  const numbers = Array.from({ length: toBlock - fromBlock + 1 }, (_, index) => fromBlock + index)
  const blocks = await fetchHeads(range, numbers)
  for (const [index, block] of blocks.entries()) {
    const before = blocks[index - 1] ?? parent
    if (before !== null && block.parentHash !== before.hash) {
      throw new ChainChanged(
        `block ${block.number} does not follow the block ${before.number} that was read before`,
      )
    }
  }
  const logs = await fetchLogs(range, blocks)
  return { toBlock, logs: withTimestamps(logs, blocks), blocks: blocks.map(placeOf) }
}

/** Logs of blocks by their hashes; where none come of a block that may have some, it is asked for again, for a while. */
async function fetchLogs(
  { reader, filter, doubt, signal }: RangeRequest,
  blocks: Block[],
): Promise<ChainLog[]> {
  const ask = (some: readonly Block[]) =>
    reader.logsOfBlocks({ ...filter, blockHashes: some.map(({ hash }) => hash) })
  const answers = await ask(blocks)
  const logs = new Map(blocks.map((block, index) => [block, answers[index] ?? []]))
  const doubtful = () => blocks.filter((block) => doubt.isDoubtful(block.logsBloom, logs.get(block) ?? []))
  for (const pauseMs of doubt.isTelling ? pausesMs : pausesMs.slice(0, 1)) {
    const again = doubtful()
    if (again.length === 0) break
    await delay(pauseMs, undefined, { signal })
    for (const [index, found] of (await ask(again)).entries()) {
      const block = again[index]
      if (block !== undefined && found.length > 0) logs.set(block, found)
    }
  }
  const inVain = new Set(doubtful())
  for (const block of blocks) doubt.settle(inVain.has(block))
  return [...logs.values()].flat()
}

/** Final blocks have their receipts, so that it is enough to ask once more; who left out logs of one block may have left out
 * those of others. */
async function checkFinal(
  { reader, filter, doubt }: RangeRequest,
  heads: Block[],
  logs: ChainLog[],
): Promise<void> {
  const byBlock = Map.groupBy(logs, ({ blockNumber }) => blockNumber)
  const given = ({ number }: Block) => byBlock.get(number) ?? []
  const doubtful = heads.filter((head) => doubt.isDoubtful(head.logsBloom, given(head)))
  if (doubtful.length > 0 && doubt.isTelling) {
    const answers = await reader.logsOfBlocks({ ...filter, blockHashes: doubtful.map(({ hash }) => hash) })
    const wrong = doubtful.find((head, index) => (answers[index]?.length ?? 0) > given(head).length)
    if (wrong !== undefined) throw new MalformedAnswer(`the node has left out logs of block ${wrong.number}`)
  }
  for (const head of heads) doubt.settle(doubtful.includes(head))
}

async function fetchHeads({ reader, parent, signal }: RangeRequest, numbers: number[]): Promise<Block[]> {
  const asked = parent === null ? numbers : [parent.number, ...numbers]
  const heads = await reader.blocks(asked)
  for (const pauseMs of pausesMs) {
    if (!heads.includes(null)) break
    await delay(pauseMs, undefined, { signal })
    heads.splice(0, heads.length, ...(await reader.blocks(asked)))
  }
  const present = heads.map((block, index) => {
    if (block === null) throw new ChainChanged(`the node does not have block ${asked[index]}, or not yet`)
    return block
  })
  if (parent !== null && present.shift()?.hash !== parent.hash) {
    throw new ParentReplaced(`block ${parent.number} ${parent.hash} is no longer on the chain`)
  }
  return present
}

/** Without what only reading it needs. */
function placeOf({ number, hash, timestamp }: BlockPlace): BlockPlace {
  return { number, hash, timestamp }
}

function withTimestamps(logs: readonly ChainLog[], blocks: readonly BlockPlace[]): ChainLog[] {
  const heads = new Map(blocks.map((block) => [block.number, block]))
  return logs.map((log) => {
    const block = heads.get(log.blockNumber)
    if (block === undefined || block.hash !== log.blockHash) {
      throw new ChainChanged(
        `a log of block ${log.blockNumber} belongs to another block than the one on the chain`,
      )
    }
    return log.blockTimestamp === block.timestamp ? log : { ...log, blockTimestamp: block.timestamp }
  })
}
