import { prepared } from '@hexachord/platform/postgres'
import { askTogether } from './ask-together.ts'
import type { Database } from './entity.ts'
import type { Entries, Entry } from './newest-entries.ts'
import { revision, type Seen, watchHistory } from './watch-history.ts'

/** Of each author: a page of several is seldom filled by one of them, and of few authors it is quickly read anew. */
const keptOfAnAuthor = 8

/** Authors that are read by one statement. */
const readTogether = 200

type AuthorRow = {
  readonly author: string
  readonly entries: string | null
  readonly revision: string | null
}

/** The newest of some authors ($1), a line each: when, and the id. */
export const entriesStatement = prepared(
  'entries',
  `SELECT asked.author, ${revision} AS revision, (
     SELECT string_agg(e.at_ms || ' ' || e.id, E'\\n' ORDER BY e.at_ms DESC, e.id DESC) FROM (
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
   ) AS entries FROM unnest((SELECT $1::text[])) AS asked (author)`,
)

/** Keeps what authors published and reposted last until they do something again: many readers follow the same ones.
 * @param atMost authors, of a kilobyte each; the first that were read go first
 * @returns of each author what is known, in any order; it is no older than the question */
export function keepEntries({
  database,
  atMost,
  now,
}: {
  database: Database
  atMost: number
  now: () => number
}): { look(): Promise<Seen>; of(authors: readonly string[]): Promise<Entries[]> } {
  const kept = new Map<string, Entries>()
  const history = watchHistory({
    database,
    now,
    forget(authors) {
      if (authors === 'all') kept.clear()
      else for (const author of authors) kept.delete(author)
    },
  })

  const ask = askTogether<string, Entries>({
    atMost: readTogether,
    async read(authors) {
      const { rows } = await database.query<AuthorRow>(entriesStatement, [authors])
      const read = new Map(rows.map((row) => [row.author, entriesOf(row)]))
      const { current } = history
      if (current !== null && rows[0]?.revision === current) keep(read)
      return read
    },
  })

  function keep(read: ReadonlyMap<string, Entries>): void {
    for (const [author, entries] of read) kept.set(author, entries)
    for (const oldest of kept.keys()) {
      if (kept.size <= atMost) break
      kept.delete(oldest)
    }
  }

  return {
    look: () => history.look(),
    async of(authors) {
      const known: Entries[] = []
      const unknown: Promise<Entries | undefined>[] = []
      for (const author of authors) {
        const entries = kept.get(author)
        if (entries === undefined) unknown.push(ask(author))
        else known.push(entries)
      }
      if (unknown.length > 0) {
        for (const entries of await Promise.all(unknown)) if (entries !== undefined) known.push(entries)
      }
      return known
    },
  }
}

function entriesOf({ entries }: AuthorRow): Entries {
  const newest = (entries ?? '').split('\n').filter(Boolean).map(entryOf)
  return { newest, isCut: newest.length === keptOfAnAuthor }
}

function entryOf(line: string): Entry {
  const space = line.indexOf(' ')
  return { atMs: Number(line.slice(0, space)), id: line.slice(space + 1) }
}
