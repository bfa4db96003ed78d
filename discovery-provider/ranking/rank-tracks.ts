import type { Postgres, PostgresClient } from '@hexachord/platform/postgres'
import { type RankingList, rankingLists, strategies, undergroundFollowers } from './strategies.ts'

const dayMs = 86_400_000

/** How far each list looks back, in days. */
const daysOf: Readonly<Record<RankingList, number>> = {
  week: 7,
  month: 30,
  year: 365,
  all: 20_000,
  underground: 7,
}

/** Saves and reposts of a track that are counted, the newest of each. */
const countedVoices = 50_000

/** Changes that are taken at once, often many of one track: a fraction of a second. */
const changesAtOnce = 2_000

/** After so long a track's scores are reckoned again, though nothing has happened to it. */
const staleAfterMs = 3_600_000

/** Such tracks that are taken in one round. */
const staleAtOnce = 1_000

/** Places of each list that tracks can hold by plays alone. */
const unspokenPlaces = 50_000

/** Brings scores up to date: of tracks to which something has happened, and then of those that have waited for the
 * longest.
 * @param batches transactions at most, each of some 2,000 changes
 * @returns whether more has changed than was taken */
export async function rankChanged(
  postgres: Postgres,
  { nowMs, batches, signal }: { nowMs: number; batches: number; signal?: AbortSignal | undefined },
): Promise<boolean> {
  for (let n = 0; n < batches; n++) {
    signal?.throwIfAborted()
    const changes = await postgres.transaction(async (client) => {
      const tracks = await takeChanges(client)
      await rankTracks(client, [...new Set(tracks)], nowMs)
      return tracks.length
    })
    if (changes < changesAtOnce) {
      const stale = await findStale(postgres, nowMs)
      await postgres.transaction((client) => rankTracks(client, stale, nowMs))
      if (changes + stale.length > 0) await dropUnspoken(postgres)
      return false
    }
  }
  return true
}

async function takeChanges(client: PostgresClient): Promise<string[]> {
  const { rows } = await client.query<{ track: string }>(
    `DELETE FROM ranking_change WHERE id IN (SELECT id FROM ranking_change ORDER BY id LIMIT ${changesAtOnce})
     RETURNING track`,
  )
  return rows.map(({ track }) => track)
}

async function findStale(postgres: Postgres, nowMs: number): Promise<string[]> {
  const { rows } = await postgres.query<{ track: string }>(
    `SELECT track FROM ranked WHERE at_ms < $1 ORDER BY at_ms LIMIT ${staleAtOnce}`,
    [nowMs - staleAfterMs],
  )
  return rows.map(({ track }) => track)
}

async function rankTracks(client: PostgresClient, tracks: readonly string[], nowMs: number): Promise<void> {
  if (tracks.length === 0) return
  for (const { text, values } of rankQueries(tracks, nowMs)) await client.query(text, values)
}

/** Reckon the scores of some tracks in every list, in this order. Their plans are held to indexes by a test. */
export function rankQueries(tracks: readonly string[], nowMs: number): { text: string; values: unknown[] }[] {
  return [
    { text: scoreStatement, values: [tracks, nowMs] },
    { text: notedStatement, values: [tracks, nowMs] },
  ]
}

const lists = rankingLists.map((list) => `('${list}', ${daysOf[list]})`).join(', ')
const scores = Object.entries(strategies)
  .map(([name, formula]) => `('${name}', (${formula})::double precision)`)
  .join(', ')

/** When users have marked a track, not its author. */
const voicesOf = (table: 'save' | 'repost') => `
  SELECT e.since_ms FROM (
    SELECT since_ms, author FROM ${table} WHERE target = asked.target ORDER BY since_ms DESC LIMIT ${countedVoices}
  ) AS e WHERE e.author <> asked.author`

/** Of tracks in $1 at $2 (ms): what is counted is read once, and then told by list. */
const scoreStatement = `
  WITH asked AS (
    -- Targets of marks compare by another collation than ids of tracks.
    SELECT t.id, t.id COLLATE "default" AS target, t.author, t.genre_words,
      coalesce((SELECT total FROM tally WHERE subject = t.author AND what = 'followers'), 0) AS followers
    FROM track t WHERE t.id = ANY ($1) AND NOT t.unlisted
  ), list (name, days) AS (VALUES ${lists}), counted AS (
    SELECT asked.id, asked.genre_words, told.*
    FROM asked CROSS JOIN LATERAL (
      SELECT list.name AS list, sum(event.voices) AS voices, sum(event.plays)::double precision AS plays
      FROM (
        SELECT since_ms AS at_ms, 1 AS voices, 0 AS plays FROM (${voicesOf('save')}) AS saved
        UNION ALL SELECT since_ms, 2, 0 FROM (${voicesOf('repost')}) AS reposted
        UNION ALL SELECT (extract(epoch FROM day) * 1000)::bigint, 0, count FROM play WHERE track = asked.id
      ) AS event JOIN list ON event.at_ms > $2::bigint - list.days * ${dayMs}::bigint
      WHERE list.name <> 'underground' OR asked.followers < ${undergroundFollowers}
      GROUP BY list.name
    ) AS told
  ), scored AS (
    SELECT id, strategy, list, genre_words, score
    FROM counted CROSS JOIN LATERAL (VALUES ${scores}) AS by (strategy, score) WHERE score > 0
  ), fallen AS (
    DELETE FROM ranking r WHERE r.track = ANY ($1) AND NOT EXISTS (
      SELECT FROM scored s WHERE s.id = r.track AND s.strategy = r.strategy AND s.list = r.list
    )
  )
  INSERT INTO ranking AS r (track, strategy, list, genre_words, score)
  SELECT id, strategy, list, genre_words, score FROM scored
  ON CONFLICT (track, strategy, list) DO UPDATE SET genre_words = excluded.genre_words, score = excluded.score
  WHERE (r.genre_words, r.score) IS DISTINCT FROM (excluded.genre_words, excluded.score)`

/** Says of tracks in $1 that they were reckoned at $2, as long as they stand in a list. */
const notedStatement = `
  WITH gone AS (
    DELETE FROM ranked WHERE track = ANY ($1) AND NOT EXISTS (SELECT FROM ranking r WHERE r.track = ranked.track)
  )
  INSERT INTO ranked (track, at_ms)
  SELECT id, $2 FROM unnest($1::text[]) AS asked (id) WHERE EXISTS (SELECT FROM ranking r WHERE r.track = id)
  ON CONFLICT (track) DO UPDATE SET at_ms = excluded.at_ms`

/** Lists stay short, however many tracks are played at one time: scores below one come from plays alone. */
async function dropUnspoken(postgres: Postgres): Promise<void> {
  for (const strategy of Object.keys(strategies)) {
    for (const list of rankingLists) {
      await postgres.query(
        `DELETE FROM ranking WHERE strategy = $1 AND list = $2 AND score < 1 AND score < (
           SELECT score FROM ranking WHERE strategy = $1 AND list = $2
           ORDER BY score DESC, track DESC OFFSET ${unspokenPlaces} LIMIT 1
         )`,
        [strategy, list],
      )
    }
  }
}
