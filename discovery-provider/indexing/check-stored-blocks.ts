import { type ChainReader, findCommonBlock } from '@hexachord/platform/chain'
import type { Logger } from '@hexachord/platform/process'
import type { CatalogueIndex } from './catalogue-index.ts'
import type { IndexMetrics } from './index-metrics.ts'

/** Takes back what the chain has replaced while nobody looked, before anything is built on it. Blocks above the chain's
 * head are left to the follower, which waits for a node that lags.
 * @throws ReorgTooDeep when final blocks are no longer on the chain of any node; MalformedAnswer, which may pass, when the
 * nodes disagree about them or lag */
export async function checkStoredBlocks({
  index,
  reader,
  startBlock,
  metrics,
  logger,
}: {
  index: Pick<CatalogueIndex, 'checkpoint' | 'knownBlocks' | 'takeBack'>
  reader: ChainReader
  startBlock: number
  metrics: Pick<IndexMetrics, 'takenBack'>
  logger: Logger
}): Promise<void> {
  const head = await reader.head()
  const stored = (await index.knownBlocks()).filter(({ number }) => number <= head.number)
  const [newest] = stored
  if (newest === undefined) return
  // In the backfill blocks are final long before the index reaches them.
  const floor = Math.min(index.checkpoint.finalized, newest.number)
  const common = await findCommonBlock({ reader, known: stored, startBlock, floor })
  if (common < newest.number) await takeBack(index, common, { metrics, logger })
}

/** Takes back all blocks above one, and says so. */
export async function takeBack(
  index: Pick<CatalogueIndex, 'checkpoint' | 'takeBack'>,
  toBlock: number,
  { metrics, logger }: { metrics: Pick<IndexMetrics, 'takenBack'>; logger: Logger },
): Promise<void> {
  const depth = index.checkpoint.indexed - toBlock
  await index.takeBack(toBlock)
  metrics.takenBack(depth, toBlock)
  logger.warn({ depth, toBlock }, 'took blocks back after a reorganisation')
}
