import { type Prepared, prepared } from '@hexachord/platform/postgres'
import type { Address } from '@hexachord/protocol/names'
import { type FeedEntry, feedEntrySchema, listOf, type PlaylistSummary } from '@hexachord/protocol/rest'
import { type PageQuery, pageOf, pageQuery, placeBefore } from './cursor.ts'
import type { Database } from './entity.ts'
import { userParams } from './follows.ts'
import { keepTracks, revision } from './kept-tracks.ts'
import { readPlaylists } from './playlists.ts'
import { route } from './route.ts'

/** Of those whom a user follows, how many a feed looks at: the newest. Each costs a walk along an index. */
const followedAtMost = 2_000

type FeedRow = {
  readonly id: string
  readonly by: Address
  readonly event: FeedEntry['event']
  readonly target: string
  readonly at_ms: number
  readonly revision: string | null
}

/** Tracks whose texts are kept between changes of the catalogue. */
const keptTracks = 10_000

const branch = (entry: string) => `
  (SELECT e.id, f.target AS by, e.event, e.target, e.at_ms FROM followed f CROSS JOIN LATERAL (${entry}) e
   ORDER BY e.at_ms DESC, e.id DESC LIMIT $4)`

/** For each of those who are followed the first few of an index, and of those the first few of all. */
const feedStatement = prepared(
  'feed',
  `WITH followed AS MATERIALIZED (
     SELECT target FROM follow WHERE author = $1 ORDER BY since_ms DESC, id DESC LIMIT ${followedAtMost}
   )
   SELECT *, ${revision} AS revision FROM (
     ${branch(`
       SELECT t.id, 'published' AS event, t.id AS target, t.listed_at_ms AS at_ms FROM track t
       WHERE t.author = f.target AND NOT t.unlisted AND t.listed_at_ms <= (SELECT released_until($5))
         AND (t.listed_at_ms, t.id) < ($2, $3)
       ORDER BY t.listed_at_ms DESC, t.id DESC LIMIT $4`)}
     UNION ALL ${branch(`
       SELECT p.id, 'published' AS event, p.id AS target, p.created_at_ms AS at_ms FROM playlist p
       WHERE p.author = f.target AND NOT p.unlisted AND (p.created_at_ms, p.id) < ($2, $3)
       ORDER BY p.created_at_ms DESC, p.id DESC LIMIT $4`)}
     UNION ALL ${branch(`
       SELECT r.id, 'reposted' AS event, r.target, r.since_ms AS at_ms FROM repost r
       WHERE r.author = f.target AND (r.since_ms, r.id) < ($2, $3)
       ORDER BY r.since_ms DESC, r.id DESC LIMIT $4`)}
   ) AS entry ORDER BY at_ms DESC, id DESC LIMIT $4`,
)

/** Statement of what those whom a user follows have published or reposted, newest first. */
export function feedQuery(
  id: Address,
  before: readonly [number, string],
  rows: number,
  nowMs: number,
): Prepared & { values: unknown[] } {
  return { ...feedStatement, values: [id, ...before, rows, nowMs] }
}

/** What is gone or not listed, though someone reposted it, leaves its page shorter.
 * @returns the text of a `List<FeedEntry>` */
async function readFeed(
  database: Database,
  tracksOf: ReturnType<typeof keepTracks>,
  { id, limit, cursor }: PageQuery & { id: Address },
  nowMs: number,
): Promise<string> {
  const { values, ...statement } = feedQuery(id, placeBefore(cursor), limit + 1, nowMs)
  const { rows } = await database.query<FeedRow>(statement, values)
  const { items, next } = pageOf(
    rows,
    limit,
    (row) => row,
    (row) => [row.at_ms, row.id],
  )
  const targets = items.map(({ target }) => target)
  const tracks = await tracksOf(targets, rows[0]?.revision ?? null)
  const others = await readPlaylists(database, [...new Set(targets.filter((target) => !tracks.has(target)))])
  const playlists = new Map<string, PlaylistSummary>(others.map((playlist) => [playlist.id, playlist]))
  const entries = items.flatMap(({ target, by, event, at_ms: atMs }) => {
    const track = tracks.get(target)
    const playlist = playlists.get(target)
    if ((track ?? playlist)?.unlisted !== false) return []
    if (event === 'reposted' && (track?.releaseAtMs ?? 0) > Math.max(nowMs, atMs)) return []
    const shown = `"track":${track?.json ?? null},"playlist":${JSON.stringify(playlist ?? null)}`
    return [`{"by":"${by}","event":"${event}","atMs":${atMs},${shown}}`]
  })
  return `{"items":[${entries.join(',')}],"next":${JSON.stringify(next)}}`
}

export function feedRoutes(database: Database, now: () => number) {
  const tracksOf = keepTracks({ database, atMost: keptTracks })
  return [
    route({
      path: '/v1/users/:id/feed',
      summary: 'What those whom a user follows have published or reposted, newest first',
      params: userParams,
      query: pageQuery,
      answers: {
        200: { description: 'One page of the feed', name: 'Feed', schema: listOf(feedEntrySchema) },
      },
      async answer({ params, query }) {
        return {
          json: await readFeed(database, tracksOf, { ...params, ...query }, now()),
          freshness: 'checked',
        }
      },
    }),
  ]
}
