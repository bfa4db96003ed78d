import { prepared } from '@hexachord/platform/postgres'
import type { Database } from './entity.ts'
import { keepOfAuthors, type ReadOfAuthor } from './kept-of-authors.ts'
import type { Known } from './newest-entries.ts'
import { type Changed, type History, revision, type Seen } from './watch-history.ts'

/** Of those whom a user follows, how many a feed looks at: the newest. */
export const followedAtMost = 2_000

/** Of each author: a page of several is seldom filled by one of them, and of few authors it is quickly read anew. */
const keptOfAnAuthor = 8

/** What is kept of newest entries, some 400 bytes an author, and of follows, 43 for each who is followed. */
const entriesBytes = 50_000_000
const followsBytes = 40_000_000
/** What a kept value takes besides its text. */
const overheadBytes = 200

const entriesTogether = 200
const followsTogether = 64

/** Whom each of some users follows. By ids, which an index tells: what is followed stands behind the slash. */
export const followedStatement = prepared(
  'followed',
  `SELECT asked.id AS author, ${revision} AS revision, (
     SELECT string_agg(substr(f.id, length(asked.id) + 2), ' ') FROM (
       SELECT id FROM follow WHERE author = asked.id ORDER BY since_ms DESC, id DESC LIMIT ${followedAtMost}
     ) AS f
   ) AS follows FROM unnest((SELECT $1::text[])) AS asked (id)`,
)

/** The newest of some authors ($1), as {@link Known} has them. */
export const entriesStatement = prepared(
  'entries',
  `SELECT asked.author, ${revision} AS revision, (
     SELECT coalesce(string_agg(e.at_ms || substr(e.id, length(asked.author) + 1) || E'\\n', '' ORDER BY e.at_ms DESC, e.id DESC), '')
       || CASE WHEN count(*) = ${keptOfAnAuthor} THEN '+' ELSE '' END
     FROM (
       (SELECT t.listed_at_ms AS at_ms, t.id FROM track t WHERE t.author = asked.author AND NOT t.unlisted
        ORDER BY t.listed_at_ms DESC, t.id DESC LIMIT ${keptOfAnAuthor})
       UNION ALL
       (SELECT p.created_at_ms, p.id FROM playlist p WHERE p.author = asked.author AND NOT p.unlisted
        ORDER BY p.created_at_ms DESC, p.id DESC LIMIT ${keptOfAnAuthor})
       UNION ALL
       (SELECT r.since_ms, r.id FROM repost r WHERE r.author = asked.author
        ORDER BY r.since_ms DESC, r.id DESC LIMIT ${keptOfAnAuthor})
       ORDER BY at_ms DESC, id DESC LIMIT ${keptOfAnAuthor}
     ) AS e
   ) AS lines FROM unnest((SELECT $1::text[])) AS asked (author)`,
)

type AuthorRow = { readonly author: string; readonly revision: string | null }

/** What feeds are made of: whom users follow, and what authors published and reposted last. Both are kept until the user
 * or the author acts again.
 * @param seen what was seen last of the history */
export function keepFeedSources({
  database,
  seen: seenLast,
}: {
  database: Database
  seen: () => History['current']
}): {
  /** What is known of each of those whom a user follows, in any order; and whether it was so when one looked. */
  followedBy(user: string, seen: Seen): Promise<{ followed: Known[]; isAsSeen: boolean }>
  forget(authors: Changed['authors']): void
} {
  const current = () => seenLast().revision
  const follows = keepOfAuthors<string>({
    ...{ readTogether: followsTogether, atMostBytes: followsBytes, current },
    sizeOf: (text) => text.length + overheadBytes,
    async read(ids) {
      const { rows } = await database.query<AuthorRow & { follows: string | null }>(followedStatement, [ids])
      return rows.map(({ author, revision, follows }) => ({ author, revision, value: follows ?? '' }))
    },
  })
  const entries = keepOfAuthors<Known>({
    ...{ readTogether: entriesTogether, atMostBytes: entriesBytes, current },
    sizeOf: ({ lines }) => lines.length + overheadBytes,
    async read(authors) {
      const { rows } = await database.query<AuthorRow & Known>(entriesStatement, [authors])
      return rows.map(({ author, revision, lines }) => ({ author, revision, value: { author, lines } }))
    },
  })

  return {
    forget(authors) {
      follows.forget(authors)
      entries.forget(authors)
    },
    async followedBy(user, { revision, changes }) {
      let isAsSeen = revision !== null
      const valueIn = <Value>(read: ReadOfAuthor<Value> | undefined) => {
        isAsSeen &&= read?.revision === revision
        return read?.value
      }
      const text = follows.of(user)
      const ids = typeof text === 'string' ? text : (valueIn(await text) ?? '')
      const followed: Known[] = []
      const unknown: Promise<ReadOfAuthor<Known> | undefined>[] = []
      for (const author of ids === '' ? [] : ids.split(' ')) {
        const known = entries.of(author)
        if (known instanceof Promise) unknown.push(known)
        else followed.push(known)
      }
      for (const read of await Promise.all(unknown)) {
        const known = valueIn(read)
        if (known !== undefined) followed.push(known)
      }
      return { followed, isAsSeen: isAsSeen && changes === seenLast().changes }
    },
  }
}
