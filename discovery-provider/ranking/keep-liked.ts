import type { Postgres } from '@hexachord/platform/postgres'

/** Of each kind: few enough to look through all that have a word, enough that a word which none of them has is rare. */
const keptOfAKind = 10_000

/** How much each is liked, for those that are at all. */
const likings = {
  track: `SELECT track, score FROM ranking WHERE strategy = 'heard-1' AND list = 'all'
    ORDER BY score DESC, track DESC LIMIT ${keptOfAKind}`,
  profile: bestTallied('followers', 'profile'),
  playlist: bestTallied('saves', 'playlist'),
} as const

function bestTallied(what: string, table: string): string {
  return `SELECT subject, total FROM tally
    WHERE what = '${what}' AND EXISTS (SELECT FROM ${table} e WHERE e.id = subject)
    ORDER BY total DESC, subject DESC LIMIT ${keptOfAKind}`
}

/** Makes anew what search looks through first: what is liked best, and where little is liked, what is new. Rows that stay
 * as they are are left alone; where others do not, those who hold them in memory are told by another version. Reads whole
 * tables, which takes a second or two of a large catalogue. */
export async function keepBestLiked(postgres: Postgres): Promise<void> {
  for (const [kind, liking] of Object.entries(likings)) {
    await postgres.query(
      `WITH liked (id, liking) AS (${liking}), newest AS (
         SELECT id, 0 FROM ${kind} ORDER BY created_at_ms DESC, id DESC LIMIT ${keptOfAKind}
       ), best AS MATERIALIZED (
         SELECT e.id, e.search, row_number() OVER (ORDER BY b.liking DESC, e.created_at_ms DESC, e.id DESC) AS place
         FROM (SELECT id, max(liking) AS liking FROM (TABLE liked UNION ALL TABLE newest) AS either GROUP BY id) AS b
         JOIN ${kind} e ON e.id = b.id
         ORDER BY place LIMIT ${keptOfAKind}
       ), fallen AS (
         DELETE FROM search_liked l WHERE l.kind = $1 AND NOT EXISTS (SELECT FROM best WHERE best.id = l.id) RETURNING 1
       ), placed AS (
         INSERT INTO search_liked AS l (kind, id, place, search) SELECT $1, id, place, search FROM best
         ON CONFLICT (kind, id) DO UPDATE SET place = excluded.place, search = excluded.search
         WHERE (l.place, l.search) IS DISTINCT FROM (excluded.place, excluded.search) RETURNING 1
       )
       INSERT INTO search_liked_version AS v (version) SELECT 1 WHERE EXISTS (TABLE fallen) OR EXISTS (TABLE placed)
       ON CONFLICT (only_row) DO UPDATE SET version = v.version + 1`,
      [kind],
    )
  }
}
