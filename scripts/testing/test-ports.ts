import { mostWorkers, workerNumber } from './worker-number.ts'

/**
 * Where the ports of a test's network begin: away from the documented ones, on which a developer's own
 * network may run, never the same for two workers of a suite, and seldom for two runs that start at once.
 */
export function testPortBase(): number {
  // Services in the even thousands, so that no network's metrics (1,000 higher) lie where another's services do.
  const thousands = 12 + 2 * Math.floor(Math.random() * 8)
  const hundreds = Math.floor(Math.random() * 5) * mostWorkers + workerNumber()
  return thousands * 1000 + hundreds * 100
}
