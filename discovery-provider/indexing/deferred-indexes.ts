import { type Postgres, type PostgresClient, type Statements, together } from '@hexachord/platform/postgres'
import { notices } from '../projections/notices.ts'
import { countAll, noteAll, projections } from '../projections/project.ts'
import { patiently } from './patiently.ts'

/** Tables whose further indexes only readers need: the index itself finds rows by their keys, but for notices, which are
 * looked for by their tracks in every range where some are honoured. */
const tables = [
  ...['action', 'catalogue_change', 'search_word'],
  ...projections.map(({ table }) => table).filter((table) => table !== notices.table),
]

/** A second one makes use of a second processor; the largest takes as long as all others. */
const madeAtOnce = 2
/** What a crash of the database takes of it, it takes with the word that it was made, and it is made again. */
const mayBeLost = { durable: false }

/** Drops the indexes that a first synchronisation does without, and keeps word of them. Until they are there again the
 * index is not complete. */
export async function deferIndexes(client: PostgresClient): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `INSERT INTO deferred_index
     SELECT x.indexrelid::regclass::text, pg_get_indexdef(x.indexrelid)
     FROM pg_index x
     WHERE x.indrelid = ANY ($1::text[]::regclass[])
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid)
     RETURNING name`,
    [tables],
  )
  if (rows.length > 0) await client.query(`DROP INDEX ${rows.map(({ name }) => name).join(', ')}`)
}

/** Whether nothing is left to do that a first synchronisation leaves out. */
export async function isIndexComplete(client: Pick<Postgres, 'query'>): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM deferred_index LIMIT 1')
  return rows.length === 0
}

/** Counts and leaves word of everything, and makes the indexes that were left out: those that are made stay when the
 * process ends in between. Nobody may write meanwhile; readers are not kept waiting.
 * @throws the signal's reason */
export async function completeIndex(postgres: Postgres, signal?: AbortSignal): Promise<void> {
  const { rows } = await postgres.query<Deferred>(
    // The largest first, so that no large one is left for the end.
    `SELECT name, definition FROM deferred_index
     ORDER BY pg_relation_size((regexp_match(definition, ' ON (?:ONLY )?([^ ]+)'))[1]::regclass) DESC, name`,
  )
  const left = [...rows]
  // By it a process that starts anew knows that not all was done.
  const last = left.pop()
  async function makeNext(): Promise<void> {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      signal?.throwIfAborted()
      await make(postgres, next)
    }
  }
  await together([
    patiently(postgres, noteAll, mayBeLost),
    patiently(postgres, countAll, mayBeLost),
    ...Array.from({ length: madeAtOnce }, makeNext),
  ])
  if (last !== undefined) await make(postgres, last)
}

type Deferred = { readonly name: string; readonly definition: string }

function make(postgres: Postgres, { name, definition }: Deferred): Promise<void> {
  const work = async (client: Statements) => {
    await client.query(definition)
    await client.query('DELETE FROM deferred_index WHERE name = $1', [name])
  }
  return patiently(postgres, work, mayBeLost)
}
