import { createServer } from 'node:http'
import {
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client'

export type { Counter, Gauge, Histogram } from 'prom-client'

/** The numbers a process publishes. Metrics register themselves here and nowhere else. */
export type Metrics = {
  readonly registry: Registry
  counter<Label extends string = never>(
    options: Omit<CounterConfiguration<Label>, 'registers'>,
  ): Counter<Label>
  gauge<Label extends string = never>(options: Omit<GaugeConfiguration<Label>, 'registers'>): Gauge<Label>
  histogram<Label extends string = never>(
    options: Omit<HistogramConfiguration<Label>, 'registers'>,
  ): Histogram<Label>
}

/** A registry of its own with the process's default metrics; every series is labelled `service`. */
export function createMetrics(service: string): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    registry,
    counter: (options) => new Counter({ ...options, registers }),
    gauge: (options) => new Gauge({ ...options, registers }),
    histogram: (options) => new Histogram({ ...options, registers }),
  }
}

/** Metrics are for the operator alone: never on another address. */
const metricsHost = '127.0.0.1'

/** Serves `/metrics` in the Prometheus text format on the loopback address. */
export async function serveMetrics(
  metrics: Metrics,
  options: { port: number },
): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { 'Content-Type': metrics.registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  server.headersTimeout = 5_000
  server.requestTimeout = 5_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, metricsHost, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : options.port
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
