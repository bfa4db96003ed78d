import type { Postgres } from '@hexachord/platform/postgres'
import type { Logger } from '@hexachord/platform/process'
import { inRounds } from '../indexing/in-rounds.ts'
import { keepBestLiked } from './keep-liked.ts'
import { rankChanged } from './rank-tracks.ts'

/** Between rounds: so old a list is at most while little happens. */
const defaultEveryMs = 5_000

/** Transactions in one round. A provider that has a whole catalogue to reckon goes on in the next one. */
const batchesInARound = 50

/** Between times that what search looks through first is made anew. */
const likedEveryMs = 600_000

/** Keeps scores, and what is liked best, up to date for as long as it may.
 * @param mayWrite whether this process is the one that writes; of several, the others only answer
 * @param now ms */
export function keepRanked({
  postgres,
  mayWrite,
  everyMs = defaultEveryMs,
  now,
  logger,
  signal,
}: {
  postgres: Postgres
  mayWrite: () => boolean
  everyMs?: number
  now: () => number
  logger: Logger
  signal: AbortSignal
}): { close(): Promise<void> } {
  let likedDueMs = 0
  return inRounds({
    ...{ mayWrite, everyMs, logger, signal },
    waiting: 'lists are not kept up to date while the database is away',
    async round(signal) {
      await rankChanged(postgres, { nowMs: now(), batches: batchesInARound, signal })
      if (now() < likedDueMs) return
      likedDueMs = now() + likedEveryMs
      await keepBestLiked(postgres)
    },
  })
}
