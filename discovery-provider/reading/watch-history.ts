import { prepared } from '@hexachord/platform/postgres'
import { askTogether } from './ask-together.ts'
import type { Database } from './entity.ts'

/** A word that is another one whenever anything is that is derived from the chain: a history of the chain by its hash,
 * and which tables show it. NULL before the first of them. */
export const revision = `(SELECT c.state_hash || ' ' || v.xmin FROM checkpoint c, table_version v WHERE v.name = 'track')`

/** A word that is another one whenever {@link revision} is, or what answers about tracks tell besides the catalogue. */
export const edition = `(${revision} || ' ' || coalesce((SELECT version FROM beside_version), 0))`

/** What a reader has to know who keeps something of the catalogue. */
export type Seen = {
  /** As {@link revision}, and how often it has been seen to change. */
  readonly revision: string | null
  readonly changes: number
  /** As {@link edition}. */
  readonly edition: string | null
  /** Up to when scheduled tracks are out (ms). */
  readonly releasedUntilMs: number
}

/** More actions than these since the last look, and everything may be another. */
const actionsAtMost = 2_000

type HistoryRow = {
  readonly edition: string | null
  readonly revision: string | null
  readonly block: number | null
  readonly until_ms: number
  readonly authors: string[] | null
}

/** A history begins like another where a block of both has the same state hash. No author is told where it does not, as
 * after a reorganisation. */
export const historyStatement = prepared(
  'history',
  `SELECT now.revision, now.edition, c.state_hash_block AS block, released_until($3) AS until_ms,
     CASE
       WHEN now.revision = $1 THEN '{}'
       WHEN split_part(now.revision, ' ', 2) = split_part($1, ' ', 2)
         AND EXISTS (SELECT FROM block b WHERE b.number = $2 AND b.state_hash = split_part($1, ' ', 1))
       THEN ARRAY(SELECT a.author FROM action a WHERE a.block > (SELECT $2::bigint) ORDER BY a.block LIMIT ${actionsAtMost + 1})
     END AS authors
   FROM (SELECT ${revision} AS revision, ${edition} AS edition) AS now LEFT JOIN checkpoint c ON true`,
)

/** Lets others keep what they have read of authors for as long as these do nothing.
 * @param forget what was read of some authors, or of all. Nothing is told of what was read before it was called
 * @returns looks whether anything has changed, and has it forgotten. What stands in `current` was seen last: what was read
 * in another revision must not be kept */
export function watchHistory({
  database,
  now,
  forget,
}: {
  database: Database
  now: () => number
  forget: (authors: readonly string[] | 'all') => void
}): { look(): Promise<Seen>; readonly current: Pick<Seen, 'revision' | 'changes'> } {
  let known: { readonly revision: string; readonly block: number } | undefined
  let changes = 0

  const look = askTogether<'now', Seen>({
    atMost: 1,
    // Each look tells what has changed since the one before.
    atOnce: 1,
    async read() {
      const values = [known?.revision ?? null, known?.block ?? null, now()]
      const { rows } = await database.query<HistoryRow>(historyStatement, values)
      const [row] = rows
      if (row === undefined) throw new Error('the database does not say where the catalogue stands')
      const { revision, edition, block, authors } = row
      forget(authors === null || authors.length > actionsAtMost ? 'all' : authors)
      if (revision !== known?.revision) changes++
      known = revision === null || block === null ? undefined : { revision, block }
      return new Map([['now', { revision, changes, edition, releasedUntilMs: row.until_ms }]])
    },
  })

  return {
    async look() {
      const seen = await look('now')
      if (seen === undefined) throw new Error('nothing was seen')
      return seen
    },
    get current() {
      return { revision: known?.revision ?? null, changes }
    },
  }
}
