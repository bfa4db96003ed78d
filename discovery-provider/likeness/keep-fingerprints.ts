import type { GuardedFetch } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Logger } from '@hexachord/platform/process'
import { inRounds } from '../indexing/in-rounds.ts'
import { noteDue } from './note-due.ts'
import { readDue } from './read-due.ts'

const everyMs = 15_000

/** Keeps fingerprints, and which tracks are alike, for as long as it may.
 * @param mayWrite whether this process is the one that writes; of several, the others only answer
 * @param now ms since 1970 */
export function keepFingerprints({
  postgres,
  fetch,
  mayWrite,
  now,
  logger,
  signal,
}: {
  postgres: Postgres
  fetch: GuardedFetch
  mayWrite: () => boolean
  now: () => number
  logger: Logger
  signal: AbortSignal
}): { close(): Promise<void> } {
  return inRounds({
    ...{ mayWrite, everyMs, logger, signal },
    waiting: 'fingerprints wait while the database is away',
    async round(signal) {
      while (!signal.aborted && (await noteDue(postgres, now())));
      while (!signal.aborted && (await readDue(postgres, { fetch, nowMs: now(), signal })) > 0);
    },
  })
}
