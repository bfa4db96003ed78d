import type { Postgres, Statements } from '@hexachord/platform/postgres'
import { kinds } from '@hexachord/protocol/actions'

/** Actions that are looked through in one transaction. */
const batchActions = 2_000

/** Notes the tracks of further final actions as due. Nothing is done twice for what a reorganisation may take back.
 * @param nowMs the reader's clock
 * @returns whether there may be more */
export async function noteDue(postgres: Postgres, nowMs: number): Promise<boolean> {
  const { rows } = await postgres.query<{ seen: number }>(
    `WITH seen AS (
       SELECT a.block, a.log_index, a.subject, a.kind = $1 AND a.verdict = 'applied' AS is_track
       FROM action a
       WHERE (a.block, a.log_index) > (
           coalesce((SELECT block FROM fingerprint_progress), -1),
           coalesce((SELECT log_index FROM fingerprint_progress), -1))
         AND a.block <= (SELECT finalized FROM checkpoint)
       ORDER BY a.block, a.log_index LIMIT ${batchActions}
     ), due AS (
       INSERT INTO fingerprint_due (track, at_ms) SELECT DISTINCT subject, $2::bigint FROM seen WHERE is_track
       ON CONFLICT (track) DO UPDATE SET attempts = 0, at_ms = excluded.at_ms
     ), moved AS (
       INSERT INTO fingerprint_progress (block, log_index)
       SELECT block, log_index FROM seen ORDER BY block DESC, log_index DESC LIMIT 1
       ON CONFLICT (only_one) DO UPDATE SET block = excluded.block, log_index = excluded.log_index
     )
     SELECT count(*)::int AS seen FROM seen`,
    [kinds.track.number, nowMs],
  )
  return rows[0]?.seen === batchActions
}

/** Notes tracks as due that came back or went without an action of their own. */
export async function noteDueAgain(client: Statements, tracks: readonly string[]): Promise<void> {
  if (tracks.length === 0) return
  await client.query(
    `INSERT INTO fingerprint_due (track, at_ms) SELECT unnest($1::text[]), 0
     ON CONFLICT (track) DO UPDATE SET attempts = 0, at_ms = 0`,
    [tracks],
  )
}
