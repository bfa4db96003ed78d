import { createMetrics } from '@hexachord/platform/process'
import type { Address } from '@hexachord/protocol/names'
import { expect, test } from '@jest/globals'
import { createPeerMeter } from './peer-meter.ts'

test('a hundred operators are told apart, whoever comes, and the others are counted together', async () => {
  const metrics = createMetrics('test')
  const meter = createPeerMeter(metrics)
  const operator = (index: number): Address => `0x${index.toString(16).padStart(40, '0')}`
  for (let index = 1; index <= 300; index++) {
    meter.served(operator(index), index, true)
    meter.served(operator(index), 1, false)
  }
  const others = Array.from({ length: 200 }, (_, at) => at + 101).reduce((sum, bytes) => sum + bytes, 0)
  const report = meter.report()
  expect(report).toHaveLength(101)
  expect(report.slice(0, 2)).toEqual([
    { operator: null, paidBytes: others, freeBytes: 200 },
    { operator: operator(100), paidBytes: 100, freeBytes: 1 },
  ])
  const text = await metrics.registry.metrics()
  expect(text.match(/^till_peer_bytes_total{/gm)).toHaveLength(202)
  expect(text).toContain(`track="paid",operator="other"`)
})
