const firstDelayMs = 2_000
const longestDelayMs = 10 * 60_000

/**
 * How long to wait before the next try to bring a track here, after so many in vain: doubling from 2 s to 10 min,
 * less up to a half, so that nodes which lost the same peer do not all ask the same other one at one moment.
 * @param random from 0 to below 1
 */
export function retryDelayMs(attempts: number, random: number): number {
  const longest = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.max(0, attempts - 1))
  return Math.round(longest * (1 - random / 2))
}
