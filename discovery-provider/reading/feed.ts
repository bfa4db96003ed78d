import { type Prepared, prepared } from '@hexachord/platform/postgres'
import type { Address } from '@hexachord/protocol/names'
import { feedEntrySchema, listOf, type PlaylistSummary } from '@hexachord/protocol/rest'
import { askTogether } from './ask-together.ts'
import { type PageQuery, pageOf, pageQuery, placeBefore } from './cursor.ts'
import type { Database } from './entity.ts'
import { userParams } from './follows.ts'
import { keepEntries } from './kept-entries.ts'
import { keepTracks } from './kept-tracks.ts'
import { type Entry, newestOf, targetOf } from './newest-entries.ts'
import { readPlaylists } from './playlists.ts'
import { route } from './route.ts'

/** Of those whom a user follows, how many a feed looks at: the newest. */
const followedAtMost = 2_000

/** Whose newest entries are kept until they act again. */
const keptAuthors = 100_000

/** Tracks whose texts are kept between changes of the catalogue. */
const keptTracks = 20_000

/** Users of whom it is read by one statement whom they follow. */
const readTogether = 64

/** Whom each of some users follows. Ids alone, which an index tells: what is followed stands behind the slash. */
export const followedStatement = prepared(
  'followed',
  `SELECT asked.id, (
     SELECT string_agg(f.id, ' ') FROM (
       SELECT id FROM follow WHERE author = asked.id ORDER BY since_ms DESC, id DESC LIMIT ${followedAtMost}
     ) AS f
   ) AS follows FROM unnest((SELECT $1::text[])) AS asked (id)`,
)

const branch = (entry: string) => `
  (SELECT e.id, e.at_ms FROM followed f CROSS JOIN LATERAL (${entry}) e ORDER BY e.at_ms DESC, e.id DESC LIMIT $4)`

/** For each of those who are followed the first few of an index, and of those the first few of all. */
const feedStatement = prepared(
  'feed',
  `WITH followed AS MATERIALIZED (
     SELECT target FROM follow WHERE author = $1 ORDER BY since_ms DESC, id DESC LIMIT ${followedAtMost}
   )
   SELECT id, at_ms FROM (
     ${branch(`
       SELECT t.id, t.listed_at_ms AS at_ms FROM track t
       WHERE t.author = f.target AND NOT t.unlisted AND t.listed_at_ms <= (SELECT released_until($5))
         AND (t.listed_at_ms, t.id) < ($2, $3)
       ORDER BY t.listed_at_ms DESC, t.id DESC LIMIT $4`)}
     UNION ALL ${branch(`
       SELECT p.id, p.created_at_ms AS at_ms FROM playlist p
       WHERE p.author = f.target AND NOT p.unlisted AND (p.created_at_ms, p.id) < ($2, $3)
       ORDER BY p.created_at_ms DESC, p.id DESC LIMIT $4`)}
     UNION ALL ${branch(`
       SELECT r.id, r.since_ms AS at_ms FROM repost r
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

/** What feeds are made of, most of it kept: from page to page little changes. */
function createFeeds(database: Database, now: () => number) {
  const entries = keepEntries({ database, atMost: keptAuthors, now })
  const tracksOf = keepTracks({ database, atMost: keptTracks })
  const followedBy = askTogether<Address, readonly string[]>({
    atMost: readTogether,
    async read(ids) {
      const { rows } = await database.query<{ id: Address; follows: string | null }>(followedStatement, [ids])
      const targetsOf = (follows: string) => follows.split(' ').map((id) => targetOf({ id }).target)
      return new Map(rows.map(({ id, follows }) => [id, follows === null ? [] : targetsOf(follows)]))
    },
  })

  /** Of what is kept, where that is enough. */
  async function entriesFor(id: Address, before: readonly [number, string], count: number) {
    const [followed = [], { revision, releasedUntilMs }] = await Promise.all([followedBy(id), entries.look()])
    const [atMs, beforeId] = before
    const range = { before: { atMs, id: beforeId }, untilMs: releasedUntilMs, count }
    const kept = newestOf(await entries.of(followed), range)
    if (kept !== undefined) return { rows: kept, revision }
    const { values, ...statement } = feedQuery(id, before, count, now())
    const { rows } = await database.query<{ id: string; at_ms: number }>(statement, values)
    return { rows: rows.map((row): Entry => ({ id: row.id, atMs: row.at_ms })), revision }
  }

  /** What is gone or not listed, though someone reposted it, leaves its page shorter.
   * @returns the text of a `List<FeedEntry>`, in UTF-8 */
  return async ({ id, limit, cursor }: PageQuery & { id: Address }): Promise<Buffer> => {
    const { rows, revision } = await entriesFor(id, placeBefore(cursor), limit + 1)
    const { items, next } = pageOf(
      rows,
      limit,
      (row) => ({ ...row, ...targetOf(row) }),
      (row) => [row.atMs, row.id],
    )
    const targets = items.map(({ target }) => target)
    const tracks = await tracksOf(targets, revision)
    const others = await readPlaylists(database, [
      ...new Set(targets.filter((target) => !tracks.has(target))),
    ])
    const playlists = new Map<string, PlaylistSummary>(others.map((playlist) => [playlist.id, playlist]))
    const parts: Buffer[] = []
    let text = '{"items":['
    for (const { id, target, isRepost, atMs } of items) {
      const track = tracks.get(target)
      const playlist = playlists.get(target)
      if ((track ?? playlist)?.unlisted !== false) continue
      if (isRepost && (track?.releaseAtMs ?? 0) > Math.max(now(), atMs)) continue
      const event = isRepost ? 'reposted' : 'published'
      text += `${parts.length > 0 ? ',' : ''}{"by":"${id.slice(0, addressLength)}","event":"${event}","atMs":${atMs},"track":`
      parts.push(Buffer.from(text), track?.json ?? Buffer.from('null'))
      text = `,"playlist":${playlist === undefined ? null : JSON.stringify(playlist)}}`
    }
    return Buffer.concat([...parts, Buffer.from(`${text}],"next":${JSON.stringify(next)}}`)])
  }
}

const addressLength = 42

export function feedRoutes(database: Database, now: () => number) {
  const readFeed = createFeeds(database, now)
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
        return { json: await readFeed({ ...params, ...query }), freshness: 'checked' }
      },
    }),
  ]
}
