import { type ChainReader, followChain } from '@hexachord/platform/chain'
import type { Logger } from '@hexachord/platform/process'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import type { CatalogueIndex } from './catalogue-index.ts'
import type { IndexRange } from './chain-records.ts'
import { takeBack } from './check-stored-blocks.ts'
import { type IndexMetrics, type RangeSummary, summaryOf } from './index-metrics.ts'

/** Keeps an index up with the chain until the signal ends it; a transaction that has begun is finished.
 * @param startBlock the first block that matters
 * @param pollMs between looks at the head once it is reached. @default as of `followChain`
 * @throws ReorgTooDeep, and what the database throws */
export async function followCatalogue({
  index,
  reader,
  rules,
  startBlock,
  pollMs,
  metrics,
  logger,
  onHead = async () => undefined,
  signal,
}: {
  index: CatalogueIndex
  reader: ChainReader
  rules: CatalogueRules
  startBlock: number
  pollMs?: number | undefined
  metrics: IndexMetrics
  logger: Logger
  /** The newest block is written. */
  onHead?: () => Promise<void>
  signal: AbortSignal
}): Promise<void> {
  async function head() {
    const newest = await reader.head()
    metrics.looked(newest.number, index.checkpoint.indexed)
    return newest
  }

  const events = followChain({
    reader: { ...reader, head },
    addresses: [rules.catalog, ...rules.operatorContracts],
    startBlock,
    finalityBlocks: rules.placement.finalityBlocks,
    known: index.knownBlocks,
    logger,
    ...(pollMs === undefined ? {} : { pollMs }),
    signal,
  })
  let writing = Promise.resolve()
  try {
    for await (const event of events) {
      if (event.type === 'reorg') {
        await writing
        await takeBack(index, event.toBlock, { metrics, logger })
        continue
      }
      for (let left: IndexRange | undefined = event; left !== undefined; )
        left = await append(left, event.head)
      // At the head it may be long until the next one comes.
      if (event.toBlock < event.head) continue
      await writing
      await onHead()
    }
  } finally {
    await writing
  }

  /** @returns what is left of the range */
  async function append(given: IndexRange, head: number): Promise<IndexRange | undefined> {
    const startedAtMs = performance.now()
    const { range, result, written, rest } = await index.appendAhead(given, signal)
    // Only what is told of a range is kept until it is written.
    writing = report(summaryOf({ ...range, head }, result), startedAtMs, [writing, written])
    // It is awaited before anything else is written, or at the end.
    writing.catch(() => undefined)
    return rest
  }

  async function report(range: RangeSummary, startedAtMs: number, written: Promise<void>[]): Promise<void> {
    await Promise.all(written)
    const durationMs = Math.round(performance.now() - startedAtMs)
    metrics.appended(range, durationMs / 1000)
    const { fromBlock, toBlock, head, logs, stateHash } = range
    const line = { fromBlock, toBlock, head, logs, durationMs, stateHash }
    if (logs > 0) logger.info(line, 'indexed blocks')
    else logger.debug(line, 'indexed blocks')
  }
}
