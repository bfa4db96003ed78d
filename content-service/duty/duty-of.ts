import type { Address } from '@hexachord/protocol/names'
import type { LiveTrack, Ranks } from '@hexachord/storage/catalogue'

/**
 * Why this node has to hold a published track: `receipt` when its own receipt was published with it, `rank` when
 * placement puts it among the first as many operators as there shall be copies. From the chain alone.
 * @returns undefined when it has not
 */
export function dutyOf(
  track: Pick<LiveTrack, 'operators'>,
  ranks: Ranks,
  self: Address,
): 'receipt' | 'rank' | undefined {
  if (track.operators.includes(self)) return 'receipt'
  const first = ranks.operators.slice(0, ranks.copies)
  return first.some(({ operator }) => operator === self) ? 'rank' : undefined
}

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
