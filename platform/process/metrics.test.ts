import { describe, expect, test } from '@jest/globals'
import { createMetrics, serveMetrics } from './metrics.ts'

describe('metrics', () => {
  test('are served on the loopback address with the service as a label', async () => {
    const metrics = createMetrics('content-service')
    metrics
      .counter({ name: 'blocks_pulled_total', help: 'Blocks pulled', labelNames: ['outcome'] })
      .inc({ outcome: 'ok' }, 3)
    const served = await serveMetrics(metrics, { port: 0 })
    try {
      const response = await fetch(`http://127.0.0.1:${served.port}/metrics`)
      const text = await response.text()
      expect(response.headers.get('content-type')).toContain('text/plain')
      expect(text).toContain('blocks_pulled_total{outcome="ok",service="content-service"} 3')
      expect(text).toContain('process_cpu_seconds_total')
      expect((await fetch(`http://127.0.0.1:${served.port}/`)).status).toBe(404)
    } finally {
      await served.close()
    }
  })

  test('of two services in one process do not meet', async () => {
    const [one, other] = [createMetrics('one'), createMetrics('other')]
    one.gauge({ name: 'depth', help: 'Depth' }).set(1)
    other.gauge({ name: 'depth', help: 'Depth' }).set(2)
    expect(await one.registry.metrics()).toContain('depth{service="one"} 1')
    expect(await other.registry.metrics()).toContain('depth{service="other"} 2')
  })

  test('say so when the port is taken', async () => {
    const first = await serveMetrics(createMetrics('one'), { port: 0 })
    try {
      await expect(serveMetrics(createMetrics('two'), { port: first.port })).rejects.toThrow('EADDRINUSE')
    } finally {
      await first.close()
    }
  })
})
