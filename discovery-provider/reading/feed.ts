import { type Prepared, prepared } from '@hexachord/platform/postgres'
import type { Address } from '@hexachord/protocol/names'
import { feedEntrySchema, listOf } from '@hexachord/protocol/rest'
import { LRUCache } from 'lru-cache'
import { type PageQuery, pageOf, pageQuery, placeBefore } from './cursor.ts'
import type { Database } from './entity.ts'
import { followedAtMost, keepFeedSources } from './feed-sources.ts'
import { userParams } from './follows.ts'
import { createJoin } from './joined-texts.ts'
import { keepTexts } from './kept-texts.ts'
import { type Entry, newestOf, nextReleaseMs, targetOf } from './newest-entries.ts'
import { route } from './route.ts'
import { tagOf } from './send-json.ts'
import { revision, type Seen, watchHistory } from './watch-history.ts'

/** Tracks and playlists whose texts are kept until something changes of which they tell. */
const keptTexts = 50_000

/** Pages whose entries are kept between changes of the catalogue: some 2 kB each. */
const keptPages = 20_000

const branch = (entry: string) => `
  (SELECT e.id, e.at_ms FROM followed f CROSS JOIN LATERAL (${entry}) e ORDER BY e.at_ms DESC, e.id DESC LIMIT $4)`

/** For each of those who are followed the first few of an index, and of those the first few of all. */
const feedStatement = prepared(
  'feed',
  `WITH followed AS MATERIALIZED (
     SELECT target FROM follow WHERE author = $1 ORDER BY since_ms DESC, id DESC LIMIT ${followedAtMost}
   )
   SELECT id, at_ms, ${revision} AS revision FROM (
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

type FeedRow = { readonly id: string; readonly at_ms: number; readonly revision: string | null }

/** Statement of what those whom a user follows have published or reposted, newest first. */
export function feedQuery(
  id: Address,
  before: readonly [number, string],
  rows: number,
  nowMs: number,
): Prepared & { values: unknown[] } {
  return { ...feedStatement, values: [id, ...before, rows, nowMs] }
}

/** The entries of a page, and where the next one begins. */
type Page = {
  readonly entries: readonly Entry[]
  readonly next: string | null
}

type KeptPage = Page & {
  readonly edition: string
  /** Up to when what was scheduled was out: a clock may go back. */
  readonly releasedUntilMs: number
  /** When something that was scheduled comes out, or another price into force. */
  readonly untilMs: number
  readonly tag: string
}

/** A page as it goes out. */
type Sent = { readonly json: Buffer; readonly tag: string }

/** Pages of feeds, most of them kept: from one time to the next little changes. */
function createFeeds(database: Database, now: () => number) {
  const history = watchHistory({
    ...{ database, now },
    forget({ authors, subjects }) {
      sources.forget(authors)
      texts.forget(subjects)
    },
  })
  const sources = keepFeedSources({ database, seen: () => history.current })
  const texts = keepTexts({ database, atMost: keptTexts, current: () => history.current.edition, now })
  const pages = new LRUCache<string, KeptPage>({ max: keptPages })
  const join = createJoin()

  /** Of what is kept, where that is enough.
   * @returns untilMs when there will be others, 0 where that is not known */
  async function entriesFor(id: Address, before: readonly [number, string], count: number, seen: Seen) {
    const { followed, isAsSeen } = await sources.followedBy(id, seen)
    const [atMs, beforeId] = before
    const untilMs = seen.releasedUntilMs
    const kept = newestOf(followed, { before: { atMs, id: beforeId }, untilMs, count })
    const dueMs = isAsSeen ? nextReleaseMs(followed, untilMs) : 0
    if (kept !== undefined) return { rows: kept, untilMs: dueMs }
    const { values, ...statement } = feedQuery(id, before, count, now())
    const { rows } = await database.query<FeedRow>(statement, values)
    return {
      rows: rows.map((row): Entry => ({ id: row.id, atMs: row.at_ms })),
      untilMs: rows[0]?.revision === seen.revision ? dueMs : 0,
    }
  }

  /** What is gone or not listed, though someone reposted it, leaves its page shorter. */
  async function render({ entries, next }: Page, { edition, releasedUntilMs }: Seen) {
    const items = entries.map((entry) => ({ ...entry, ...targetOf(entry) }))
    const targets = items.map(({ target }) => target)
    const { texts: found, isOfEdition } = await texts.of(targets, edition)
    let untilMs = Number.POSITIVE_INFINITY
    const parts: (string | Buffer)[] = []
    let text = '{"items":['
    for (const { id, target, isRepost, atMs } of items) {
      const entry = found.get(target)
      if (entry === undefined) continue
      untilMs = Math.min(untilMs, entry.untilMs)
      if (entry.unlisted) continue
      const releaseAtMs = entry.releaseAtMs ?? 0
      if (isRepost && releaseAtMs > Math.max(releasedUntilMs, atMs)) {
        untilMs = Math.min(untilMs, releaseAtMs)
        continue
      }
      const event = isRepost ? 'reposted' : 'published'
      text += `${parts.length > 0 ? ',' : ''}{"by":"${id.slice(0, addressLength)}","event":"${event}","atMs":${atMs},`
      const [before, after] = entry.kind === 'track' ? aroundTrack : aroundPlaylist
      parts.push(text + before, entry.json)
      text = after
    }
    const json = join([...parts, `${text}],"next":${JSON.stringify(next)}}`])
    return { json, untilMs, isOfEdition }
  }

  /** @returns the text of a `List<FeedEntry>` */
  return async ({ id, limit, cursor }: PageQuery & { id: Address }): Promise<Sent> => {
    const key = `${id} ${limit} ${cursor ?? ''}`
    const seen = await history.look()
    const { edition, releasedUntilMs } = seen
    const kept = pages.get(key)
    const isInTime =
      kept !== undefined && kept.releasedUntilMs <= releasedUntilMs && releasedUntilMs < kept.untilMs
    if (isInTime && kept.edition === edition) {
      const { json, isOfEdition } = await render(kept, seen)
      return { json, tag: isOfEdition ? kept.tag : tagOf(json) }
    }
    const { rows, untilMs } = await entriesFor(id, placeBefore(cursor), limit + 1, seen)
    const { items: entries, next } = pageOf(
      rows,
      limit,
      (row) => row,
      (row) => [row.atMs, row.id],
    )
    const rendered = await render({ entries, next }, seen)
    const tag = tagOf(rendered.json)
    const until = Math.min(untilMs, rendered.untilMs)
    if (edition !== null && rendered.isOfEdition && until > releasedUntilMs) {
      pages.set(key, { entries, next, edition, releasedUntilMs, untilMs: until, tag })
    }
    return { json: rendered.json, tag }
  }
}

const addressLength = 42
const aroundTrack = ['"track":', ',"playlist":null}'] as const
const aroundPlaylist = ['"track":null,"playlist":', '}'] as const

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
        return { ...(await readFeed({ ...params, ...query })), freshness: 'checked' }
      },
    }),
  ]
}
