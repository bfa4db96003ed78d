import type { GuardedFetch } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Logger } from '@hexachord/platform/process'
import { inRounds } from '../indexing/in-rounds.ts'
import { readManifests } from './read-manifests.ts'

/** Until it is read, nobody is told that a track is premium: players try it, and nodes refuse. */
const everyMs = 500

/** Keeps what manifests of new tracks say, for as long as it may.
 * @param mayWrite whether this process is the one that writes; of several, the others only answer
 * @param now ms since 1970 */
export function keepManifests({
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
    waiting: 'manifests wait while the database is away',
    async round(signal) {
      while (!signal.aborted && (await readManifests(postgres, { fetch, nowMs: now(), signal })) > 0);
    },
  })
}
