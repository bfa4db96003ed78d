import type { Address } from '@hexachord/protocol/names'
import { acceptedRanks } from '@hexachord/protocol/placement'
import { neededCopies } from '@hexachord/protocol/receipts'
import type { LiveTrack, Ranks } from '@hexachord/storage/catalogue'

/** What a published track is to this node, from the chain alone. */
export type Standing = {
  /** `duty`: placement puts this node among the first as many operators as there shall be copies. `promised`: it does
   * not, but this node's receipt was published with the track. `reserve`: it comes next, should the others fail.
   * `none`: others are concerned. */
  readonly kind: 'duty' | 'promised' | 'reserve' | 'none'
  /** Copies that the track shall have. */
  readonly copies: number
  /** How many in reserve come before this node. */
  readonly turn: number
}

/** @param active whether this node's operator is active: one that leaves takes on nothing more */
export function standingOf(
  track: Pick<LiveTrack, 'operators'>,
  ranks: Ranks,
  { self, active }: { self: Address; active: boolean },
): Standing {
  const { copies } = ranks
  const rank = ranks.operators.findIndex(({ operator }) => operator === self)
  const turn = Math.max(0, (rank === -1 ? acceptedRanks : rank) - copies)
  if (rank !== -1 && rank < copies) return { kind: 'duty', copies, turn: 0 }
  if (!active) return { kind: 'none', copies, turn }
  if (track.operators.includes(self)) return { kind: 'promised', copies, turn }
  return { kind: rank !== -1 && rank < acceptedRanks ? 'reserve' : 'none', copies, turn }
}

/** How much a copy here is wanted. Of those that wait, lower ones are brought first. */
export const urgencies = {
  /** Fewer than two copies are left: the next failure could be the last. */
  urgent: 0,
  /** Fewer than there shall be. */
  soon: 1,
  /** Enough others have it; this node holds it in the place of one of them. */
  spare: 2,
} as const
export type Urgency = (typeof urgencies)[keyof typeof urgencies]

/** @param live copies of others who answer */
export function urgencyOf(live: number, copies: number): Urgency {
  if (live < Math.min(neededCopies, copies)) return urgencies.urgent
  return live < copies ? urgencies.soon : urgencies.spare
}

/** When copies are made; in ms. */
export type CopyTimes = {
  /** How long a track that only its rank assigns to this node is left to the offers that are on their way. */
  readonly patienceMs: number
  /** How long a track may have fewer copies than it should before one in reserve steps in: longer than a restart. */
  readonly graceMs: number
  /** Between one in reserve and the next, when there are fewer than two copies. */
  readonly urgentStepMs: number
}

/**
 * How long to wait before bringing a track here. Never the same twice, and each in reserve later than the one before
 * it by more than the chance: whoever comes later finds it done, or being done.
 * @param random from 0 to below 1
 */
export function copyDelayMs(
  { kind, turn }: Pick<Standing, 'kind' | 'turn'>,
  urgency: Urgency,
  times: CopyTimes,
  random: number,
): number {
  const { patienceMs, graceMs, urgentStepMs } = times
  if (kind === 'promised') return 0
  if (kind === 'duty') {
    return urgency === urgencies.urgent ? (urgentStepMs * random) / 2 : patienceMs * (1 + random / 2)
  }
  if (urgency === urgencies.urgent) return urgentStepMs * (turn + 1 + random / 2)
  return graceMs * (1 + turn / 2 + random / 4)
}
