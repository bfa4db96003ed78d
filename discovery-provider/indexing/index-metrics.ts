import type { Metrics } from '@hexachord/platform/process'
import { kinds } from '@hexachord/protocol/actions'
import type { RangeResult } from '@hexachord/protocol/catalogue'
import type { Rebuild } from '../rebuilding/index.ts'
import type { ChainRange } from './chain-records.ts'

/** What the indexer tells its operator. */
export type IndexMetrics = {
  appended(range: Pick<ChainRange, 'head' | 'toBlock' | 'blocks'>, result: RangeResult, seconds: number): void
  takenBack(depth: number, toBlock: number): void
  /** @param rebuild null when it has ended */
  rebuilding(rebuild: Rebuild | null): void
}

const kindNames = new Map<number, string>(Object.entries(kinds).map(([name, { number }]) => [number, name]))

/** @param now ms */
export function createIndexMetrics(metrics: Metrics, now: () => number): IndexMetrics {
  const head = metrics.gauge({ name: 'indexer_head_block', help: 'Newest block of the chain' })
  const indexed = metrics.gauge({ name: 'indexer_indexed_block', help: 'Last block in the index' })
  const events = metrics.counter<'kind' | 'verdict'>({
    name: 'indexer_events_total',
    help: 'Logs of the network by kind and verdict, those of blocks that were taken back included',
    labelNames: ['kind', 'verdict'],
  })
  const reorgs = metrics.counter({ name: 'indexer_reorg_total', help: 'Reorganisations that were followed' })
  const depths = metrics.histogram({
    name: 'indexer_reorg_depth',
    help: 'Blocks that a reorganisation took back',
    buckets: [1, 2, 5, 10, 20, 50, 100],
  })
  const flushes = metrics.histogram({
    name: 'indexer_range_seconds',
    help: 'Time to judge a range and to write it',
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30],
  })
  const rebuilding = metrics.gauge({
    name: 'indexer_rebuilding',
    help: '1 while tables are made anew beside those that are read',
  })
  const rebuildRows = metrics.gauge({
    name: 'indexer_rebuild_rows',
    help: 'Rows that the present step of a rebuild has read',
  })
  let behindSinceMs: number | null = null
  metrics.gauge({
    name: 'indexer_lag_seconds',
    help: 'Age of the last indexed block while there are newer ones, else 0',
    collect() {
      this.set(behindSinceMs === null ? 0 : Math.max(0, (now() - behindSinceMs) / 1000))
    },
  })

  return {
    appended(range, result, seconds) {
      head.set(range.head)
      indexed.set(range.toBlock)
      const last = range.blocks.at(-1)
      behindSinceMs = range.toBlock < range.head && last !== undefined ? last.timestamp * 1000 : null
      // A counter with labels costs more than to judge most actions, so that it is asked for once per kind.
      for (const [labels, { length }] of Map.groupBy(result.actions, labelsOf)) {
        const [kind = '', verdict = ''] = labels.split(' ')
        events.inc({ kind, verdict }, length)
      }
      if (result.operatorEvents.length > 0) {
        events.inc({ kind: 'operator', verdict: 'applied' }, result.operatorEvents.length)
      }
      flushes.observe(seconds)
    },
    takenBack(depth, toBlock) {
      reorgs.inc()
      depths.observe(depth)
      indexed.set(toBlock)
    },
    rebuilding(rebuild) {
      rebuilding.set(rebuild === null ? 0 : 1)
      rebuildRows.set(rebuild?.done ?? 0)
    },
  }
}

function labelsOf({ action, verdict }: RangeResult['actions'][number]): string {
  return `${kindNames.get(action.kind) ?? 'unknown'} ${verdict.verdict}`
}
