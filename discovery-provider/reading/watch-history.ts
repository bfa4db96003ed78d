import { prepared } from '@hexachord/platform/postgres'
import { askTogether } from './ask-together.ts'
import type { Database } from './entity.ts'

/** A word that is another one whenever anything is that is derived from the chain: a history of the chain by its hash,
 * and which tables show it; also when tracks come or go there by notices that are honoured. NULL before the first of
 * them. */
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

/** What was seen last, and how to look again. */
export type History = {
  look(): Promise<Seen>
  readonly current: Pick<Seen, 'revision' | 'edition' | 'changes'>
}

/** What may be another since the last look. */
export type Changed = {
  /** Who has acted. */
  readonly authors: readonly string[] | 'all'
  /** Subjects of which answers tell otherwise: also those that were saved, reposted or commented on. That of a user stands
   * for all that tells the user's name. */
  readonly subjects: readonly string[] | 'all'
}

/** More than these since the last look, and everything may be another. */
const changesAtMost = 2_000

type HistoryRow = {
  readonly edition: string | null
  readonly revision: string | null
  readonly block: number | null
  readonly until_ms: number
  readonly authors: string[] | null
  readonly subjects: string[] | null
}

/** What blocks have changed is told by what an undo of them needs, which is there above finality. */
const changedSubjects = `
  SELECT told.subject FROM (
    SELECT split_part(key, '/', 1) AS space, substr(key, strpos(key, '/') + 1) AS name FROM undo WHERE block > since.block
  ) AS u CROSS JOIN LATERAL (
    VALUES (CASE u.space WHEN 'subject' THEN u.name ELSE substr(u.name, strpos(u.name, '/') + 1) END),
      ((SELECT o.track FROM comment o WHERE o.id = u.name))
  ) AS told (subject)
  WHERE u.space IN ('subject', 'save', 'repost') AND told.subject IS NOT NULL
  LIMIT ${changesAtMost + 1}`

/** A history begins like another where a block of both has the same state hash. Nobody is told where it does not, as after
 * a reorganisation; nor any subject where something has changed beside the catalogue, or an operator, who may hold any. */
export const historyStatement = prepared(
  'history',
  `SELECT now.revision, now.edition, c.state_hash_block AS block, released_until($3) AS until_ms, changed.authors,
     CASE
       WHEN now.edition = $4 THEN '{}'
       WHEN changed.authors IS NOT NULL AND split_part(now.edition, ' ', 3) = split_part($4, ' ', 3)
         AND NOT EXISTS (SELECT FROM block b WHERE b.number > since.block AND b.number <= c.finalized AND b.logs > 0)
         AND (SELECT max(e.block) FROM operator_event e) > since.block IS NOT TRUE
       THEN ARRAY(${changedSubjects})
     END AS subjects
   FROM (SELECT ${revision} AS revision, ${edition} AS edition) AS now
   CROSS JOIN (SELECT $2::bigint AS block OFFSET 0) AS since
   LEFT JOIN checkpoint c ON true
   CROSS JOIN LATERAL (
     SELECT CASE
       WHEN now.revision = $1 THEN '{}'
       WHEN split_part(now.revision, ' ', 2) = split_part($1, ' ', 2)
         AND EXISTS (SELECT FROM block b WHERE b.number = since.block AND b.state_hash = split_part($1, ' ', 1))
       THEN ARRAY(SELECT a.author FROM action a WHERE a.block > since.block ORDER BY a.block LIMIT ${changesAtMost + 1})
     END AS authors OFFSET 0
   ) AS changed`,
)

/** Lets others keep what they have read for as long as nothing changes of it.
 * @param forget what was read of what may be another. Nothing is told of what was read before it was called
 * @returns looks whether anything has changed, and has it forgotten. What stands in `current` was seen last: what was read
 * in another revision or edition must not be kept */
export function watchHistory({
  database,
  now,
  forget,
}: {
  database: Database
  now: () => number
  forget: (changed: Changed) => void
}): History {
  let known:
    | { readonly revision: string; readonly edition: string | null; readonly block: number }
    | undefined
  let changes = 0

  const look = askTogether<'now', Seen>({
    atMost: 1,
    // Each look tells what has changed since the one before.
    atOnce: 1,
    async read() {
      const values = [known?.revision ?? null, known?.block ?? null, now(), known?.edition ?? null]
      const { rows } = await database.query<HistoryRow>(historyStatement, values)
      const [row] = rows
      if (row === undefined) throw new Error('the database does not say where the catalogue stands')
      const { revision, edition, block } = row
      forget({ authors: changedIn(row.authors), subjects: changedIn(row.subjects) })
      if (revision !== known?.revision) changes++
      known = revision === null || block === null ? undefined : { revision, edition, block }
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
      return { revision: known?.revision ?? null, edition: known?.edition ?? null, changes }
    },
  }
}

function changedIn(names: readonly string[] | null): readonly string[] | 'all' {
  return names === null || names.length > changesAtMost ? 'all' : names
}
