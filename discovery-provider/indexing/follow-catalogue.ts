import { type ChainReader, followChain } from '@hexachord/platform/chain'
import type { Logger } from '@hexachord/platform/process'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import type { CatalogueIndex } from './catalogue-index.ts'
import type { IndexMetrics } from './index-metrics.ts'

/** Keeps an index up with the chain until the signal ends it; a transaction that has begun is finished.
 * @param startBlock the first block that matters
 * @param pollMs between looks at the head once it is reached
 * @throws ReorgTooDeep, and what the database throws */
export async function followCatalogue({
  index,
  reader,
  rules,
  startBlock,
  pollMs,
  metrics,
  logger,
  signal,
}: {
  index: CatalogueIndex
  reader: ChainReader
  rules: CatalogueRules
  startBlock: number
  pollMs: number
  metrics: IndexMetrics
  logger: Logger
  signal: AbortSignal
}): Promise<void> {
  const events = followChain({
    reader,
    addresses: [rules.catalog, ...rules.operatorContracts],
    startBlock,
    finalityBlocks: rules.placement.finalityBlocks,
    known: index.knownBlocks,
    logger,
    pollMs,
    signal,
  })
  for await (const event of events) {
    if (event.type === 'reorg') {
      const depth = index.checkpoint.indexed - event.toBlock
      await index.takeBack(event.toBlock)
      metrics.takenBack(depth, event.toBlock)
      logger.warn({ depth, toBlock: event.toBlock }, 'took blocks back after a reorganisation')
      continue
    }
    const startedAt = performance.now()
    const result = await index.append(event, signal)
    const durationMs = Math.round(performance.now() - startedAt)
    metrics.appended(event, result, durationMs / 1000)
    const { fromBlock, toBlock, head } = event
    const line = {
      fromBlock,
      toBlock,
      head,
      logs: event.logs.length,
      durationMs,
      stateHash: result.stateHash,
    }
    if (event.logs.length > 0) logger.info(line, 'indexed blocks')
    else logger.debug(line, 'indexed blocks')
  }
}
