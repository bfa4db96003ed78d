import { prepared } from '@hexachord/platform/postgres'
import { LRUCache } from 'lru-cache'
import { askTogether } from './ask-together.ts'
import type { Database } from './entity.ts'
import type { Known } from './newest-entries.ts'
import { revision, type Seen, watchHistory } from './watch-history.ts'

/** Of each author: a page of several is seldom filled by one of them, and of few authors it is quickly read anew. */
const keptOfAnAuthor = 8

/** Authors that are read by one statement. */
const readTogether = 200

type AuthorRow = Known & { readonly revision: string | null }

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

/** Keeps what authors published and reposted last until they do something again: many readers follow the same ones.
 * @param atMost authors, of 300 to 600 bytes each
 * @returns of each author what is known, in any order; it is no older than the question */
export function keepEntries({
  database,
  atMost,
  now,
}: {
  database: Database
  atMost: number
  now: () => number
}): { look(): Promise<Seen>; of(authors: readonly string[]): Promise<Known[]> } {
  const kept = new LRUCache<string, Known>({ max: atMost })
  const history = watchHistory({
    database,
    now,
    forget(authors) {
      if (authors === 'all') kept.clear()
      else for (const author of authors) kept.delete(author)
    },
  })

  const ask = askTogether<string, Known>({
    atMost: readTogether,
    async read(authors) {
      const { rows } = await database.query<AuthorRow>(entriesStatement, [authors])
      const { current } = history
      const read = rows.map(({ author, lines }) => ({ author, lines }))
      if (current !== null && rows[0]?.revision === current) {
        for (const known of read) kept.set(known.author, known)
      }
      return new Map(read.map((known) => [known.author, known]))
    },
  })

  return {
    look: () => history.look(),
    async of(authors) {
      const all: Known[] = []
      const unknown: Promise<Known | undefined>[] = []
      for (const author of authors) {
        const known = kept.get(author)
        if (known === undefined) unknown.push(ask(author))
        else all.push(known)
      }
      if (unknown.length > 0) {
        for (const known of await Promise.all(unknown)) if (known !== undefined) all.push(known)
      }
      return all
    },
  }
}
