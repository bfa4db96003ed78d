import { createMetrics } from '@hexachord/platform/process'
import { describe, expect, test } from '@jest/globals'
import { createIndexMetrics } from './index-metrics.ts'

/** A range of which only the place matters. */
function range(toBlock: number, head: number, lastTimestamp: number) {
  const nothing = { stateHash: '0x' as const, logs: 0, actions: new Map(), operatorEvents: 0 }
  return { fromBlock: 1, toBlock, head, lastTimestamp, ...nothing }
}

/** A clock that begins at second 100,000. */
function indexer() {
  let nowMs = 100_000_000
  const metrics = createMetrics('test')
  const told = createIndexMetrics(metrics, () => nowMs)
  return {
    told,
    pass(seconds: number) {
      nowMs += seconds * 1_000
    },
    async gauge(name: string) {
      const metric = await metrics.registry.getSingleMetric(name)?.get()
      return metric?.values[0]?.value
    },
  }
}

describe('the lag of an index', () => {
  test('is the age of its last block while it catches up', async () => {
    const { told, pass, gauge } = indexer()
    told.looked(90, 9)
    told.appended(range(10, 90, 40_000), 1)
    expect(await gauge('indexer_lag_seconds')).toBe(60_000)
    pass(10)
    expect(await gauge('indexer_lag_seconds')).toBe(60_010)
    told.appended(range(90, 90, 90_000), 1)
    expect(await gauge('indexer_lag_seconds')).toBe(0)
  })

  test('is none while the chain has nothing newer, however rarely its blocks come', async () => {
    const { told, pass, gauge } = indexer()
    told.appended(range(10, 10, 100_000), 1)
    for (let hour = 0; hour < 3; hour++) {
      pass(3_600)
      told.looked(10, 10)
      expect(await gauge('indexer_lag_seconds')).toBe(0)
    }
  })

  test('grows when the chain is away, and from the start when it never answered', async () => {
    const { told, pass, gauge } = indexer()
    pass(4)
    expect(await gauge('indexer_lag_seconds')).toBe(0)
    pass(600)
    expect(await gauge('indexer_lag_seconds')).toBe(604)
    told.looked(10, 10)
    pass(3_600)
    expect(await gauge('indexer_lag_seconds')).toBe(3_600)
  })

  test('grows while blocks come that are not written', async () => {
    const { told, pass, gauge } = indexer()
    told.looked(10, 10)
    pass(30)
    told.looked(12, 10)
    pass(30)
    told.looked(14, 10)
    expect(await gauge('indexer_lag_seconds')).toBe(60)
    expect([await gauge('indexer_head_block'), await gauge('indexer_indexed_block')]).toEqual([14, 10])
  })

  test('is not known from a node that lags behind the index', async () => {
    const { told, pass, gauge } = indexer()
    told.looked(10, 10)
    pass(60)
    told.looked(9, 10)
    expect(await gauge('indexer_lag_seconds')).toBe(60)
  })

  test('is told by the process that writes', async () => {
    const { told, pass, gauge } = indexer()
    pass(60)
    told.stoodBy()
    expect(await gauge('indexer_lag_seconds')).toBe(0)
  })
})
