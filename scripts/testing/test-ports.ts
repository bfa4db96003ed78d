/**
 * Where the ports of a test's network begin: away from the documented ones, on which a developer's own
 * network may run, and seldom the same for two runs that start at once.
 */
export function testPortBase(): number {
  return 12_000 + Math.floor(Math.random() * 150) * 100
}
