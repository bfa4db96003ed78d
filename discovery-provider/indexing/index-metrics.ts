import type { Metrics } from '@hexachord/platform/process'
import { kinds } from '@hexachord/protocol/actions'
import type { RangeResult } from '@hexachord/protocol/catalogue'
import type { Rebuild } from '../rebuilding/index.ts'
import type { ChainRange } from './chain-records.ts'

/** What the indexer tells its operator. */
export type IndexMetrics = {
  appended(range: RangeSummary, seconds: number): void
  takenBack(depth: number, toBlock: number): void
  /** The chain has been asked for its newest block.
   * @param indexed the last block that is written */
  looked(head: number, indexed: number): void
  /** Another process writes the index, and tells of it. */
  stoodBy(): void
  /** @param rebuild null when it has ended */
  rebuilding(rebuild: Rebuild | null): void
}

/** What is told of a range: little, so that the range itself need not stay in memory until it is told. */
export type RangeSummary = Pick<ChainRange, 'fromBlock' | 'toBlock' | 'head'> &
  Pick<RangeResult, 'stateHash'> & {
    readonly logs: number
    /** Unix seconds of its last block. */
    readonly lastTimestamp: number | undefined
    /** How many actions of a kind got a verdict, by both. */
    readonly actions: ReadonlyMap<string, number>
    readonly operatorEvents: number
  }

export function summaryOf(range: Omit<ChainRange, 'type'>, result: RangeResult): RangeSummary {
  const { fromBlock, toBlock, head, logs, blocks } = range
  const actions = new Map<string, number>()
  for (const { action, verdict } of result.actions) {
    const labels = `${kindNames.get(action.kind) ?? 'unknown'} ${verdict.verdict}`
    actions.set(labels, (actions.get(labels) ?? 0) + 1)
  }
  return {
    ...{ fromBlock, toBlock, head, stateHash: result.stateHash, logs: logs.length, actions },
    lastTimestamp: blocks.at(-1)?.timestamp,
    operatorEvents: result.operatorEvents.length,
  }
}

const kindNames = new Map<number, string>(Object.entries(kinds).map(([name, { number }]) => [number, name]))

/** The chain is looked at once a second at least, and a block is written soon after it has come. */
const unremarkableMs = 5_000

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
  /** The moment up to which the index is known to have everything: a chain or a database that is away makes it old, too. */
  let completeUpToMs = now()
  metrics.gauge({
    name: 'indexer_lag_seconds',
    help: `Age of the last indexed block while there are newer ones, or time since the chain last had none that is not indexed; 0 below ${unremarkableMs / 1000}, and where another process writes`,
    collect() {
      const lagMs = now() - completeUpToMs
      this.set(lagMs < unremarkableMs ? 0 : lagMs / 1000)
    },
  })

  return {
    appended(range, seconds) {
      head.set(range.head)
      indexed.set(range.toBlock)
      const { lastTimestamp } = range
      if (range.toBlock >= range.head) completeUpToMs = now()
      else if (lastTimestamp !== undefined) completeUpToMs = lastTimestamp * 1000
      // A counter with labels costs more than to judge most actions, so that it is asked for once per kind.
      for (const [labels, actions] of range.actions) {
        const [kind = '', verdict = ''] = labels.split(' ')
        events.inc({ kind, verdict }, actions)
      }
      if (range.operatorEvents > 0) events.inc({ kind: 'operator', verdict: 'applied' }, range.operatorEvents)
      flushes.observe(seconds)
    },
    takenBack(depth, toBlock) {
      reorgs.inc()
      depths.observe(depth)
      indexed.set(toBlock)
    },
    looked(newest, last) {
      head.set(newest)
      indexed.set(last)
      // A node that has fewer blocks lags itself.
      if (newest === last) completeUpToMs = now()
    },
    stoodBy() {
      completeUpToMs = now()
    },
    rebuilding(rebuild) {
      rebuilding.set(rebuild === null ? 0 : 1)
      rebuildRows.set(rebuild?.done ?? 0)
    },
  }
}
