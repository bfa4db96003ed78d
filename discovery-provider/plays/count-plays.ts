import type { Postgres } from '@hexachord/platform/postgres'
import type { Subject } from '@hexachord/protocol/names'
import { noteRankable } from '../ranking/index.ts'

/** A play of a track; `day` such as `2026-11-28`. */
export type Play = { readonly track: Subject; readonly day: string }

/** How often a listed track has been played on a day, by now. */
export type CountedPlays = Play & { readonly count: number }

/** Counts plays by track and day; those of unknown tracks, and of tracks that are not out yet, are left out. Nothing is
 * kept of who has played.
 * @param nowMs the reader's clock
 * @returns what may be told of it */
export async function countPlays(
  postgres: Postgres,
  plays: readonly Play[],
  nowMs: number,
): Promise<CountedPlays[]> {
  if (plays.length === 0) return []
  const { rows } = await postgres.query<CountedPlays>(
    `WITH played AS (
       SELECT p.track, p.day, count(*) AS count
       FROM unnest($1::text[], $2::date[]) AS p (track, day) JOIN track t ON t.id = p.track
       WHERE t.listed_at_ms <= (SELECT released_until($3))
       GROUP BY p.track, p.day
     ), counted AS (
       INSERT INTO play (track, day, count) SELECT track, day, count FROM played ORDER BY track, day
       ON CONFLICT (track, day) DO UPDATE SET count = play.count + excluded.count
       RETURNING track, day, count
     ), of_album AS (
       SELECT s.album, sum(p.count) AS count, max(p.day) AS day
       FROM played p JOIN shelf_song s ON s.id = p.track GROUP BY s.album
     ), on_shelf AS (
       UPDATE shelf_album a SET plays = a.plays + o.count, played_on = greatest(a.played_on, o.day)
       FROM of_album o WHERE a.id = o.album
     )
     SELECT c.track, c.day::text, c.count FROM counted c JOIN track t ON t.id = c.track
     WHERE NOT t.unlisted ORDER BY c.track, c.day`,
    [plays.map(({ track }) => track), plays.map(({ day }) => day), nowMs],
  )
  await noteRankable(
    postgres,
    plays.map(({ track }) => track),
  )
  return rows
}
