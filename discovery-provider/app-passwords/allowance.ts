/** How much of something each of many may still do; it comes back with time. */
export type Allowance = {
  /** Takes one, if there is one left. */
  take(key: string): boolean
  /** Whether there is one left; takes nothing. */
  has(key: string): boolean
}

/** A bucket of tokens per key, in memory.
 * @param burst at most so many at once
 * @param refillMs until one more may be had
 * @param maximumKeys who has not done anything for the longest is forgotten first, and may do all again
 * @param now ms */
export function createAllowance({
  burst,
  refillMs,
  maximumKeys = 10_000,
  now,
}: {
  burst: number
  refillMs: number
  maximumKeys?: number
  now: () => number
}): Allowance {
  const buckets = new Map<string, { tokens: number; atMs: number }>()

  function tokensOf(key: string): number {
    const bucket = buckets.get(key)
    if (bucket === undefined) return burst
    return Math.min(burst, bucket.tokens + Math.max(0, now() - bucket.atMs) / refillMs)
  }

  return {
    has: (key) => tokensOf(key) >= 1,
    take(key) {
      const tokens = tokensOf(key)
      if (tokens < 1) return false
      buckets.delete(key)
      buckets.set(key, { tokens: tokens - 1, atMs: now() })
      for (const oldest of buckets.keys()) {
        if (buckets.size <= maximumKeys) break
        buckets.delete(oldest)
      }
      return true
    },
  }
}
