import { type Statements, together } from '@hexachord/platform/postgres'
import type { PlacedRow, Projection, Tally } from './projection.ts'

/** Of the table, as a projection's. */
export const tallyVersion = 1

/** How much a tally changes by. */
type TallyChange = Tally & { by: number }

type Counted<Row extends PlacedRow, Name extends string, Value> = Pick<
  Projection<Row, Name, Value>,
  'table' | 'tallies'
>

/** How much tallies change by, each by its name. */
export type TallyChanges = Map<string, TallyChange>

/** Adds what a row counts, or takes it off. */
export function countRow<Row extends PlacedRow>(
  changes: TallyChanges,
  tallies: ((row: Row) => readonly Tally[]) | undefined,
  row: Row,
  by: 1 | -1,
): void {
  for (const tally of tallies?.(row) ?? []) {
    const key = `${tally.subject} ${tally.what}`
    const known = changes.get(key)
    if (known === undefined) changes.set(key, { subject: tally.subject, what: tally.what, by })
    else known.by += by
  }
}

/** Adds what the next rows of a table count to tallies that begin from nothing.
 * @param into the table of tallies
 * @param after id of the last row that was counted, empty before the first
 * @returns id of the last row that is counted now and how many were; undefined when there are no more */
export async function countStoredRows<Row extends PlacedRow, Name extends string, Value>(
  client: Statements,
  { table, tallies }: Counted<Row, Name, Value>,
  { into, after, rows: limit }: { into: string; after: string; rows: number },
): Promise<{ last: string; rows: number } | undefined> {
  const { rows } = await client.query<Row>(`SELECT * FROM ${table} WHERE id > $1 ORDER BY id LIMIT $2`, [
    after,
    limit,
  ])
  const changes: TallyChanges = new Map()
  for (const row of rows) countRow(changes, tallies, row, 1)
  if (changes.size > 0) await addToTallies(client, into, [...changes.values()])
  const last = rows.at(-1)?.id
  return last === undefined ? undefined : { last, rows: rows.length }
}

/** @param changes each of another tally */
export async function changeTallies(
  client: Statements,
  table: string,
  changes: readonly TallyChange[],
): Promise<void> {
  const changed = changes.filter(({ by }) => by !== 0)
  if (changed.length === 0) return
  // No tally is below zero, so that one to which something is added is not nothing.
  const lessened = changed.filter(({ by }) => by < 0)
  await together([
    addToTallies(client, table, changed),
    lessened.length > 0 &&
      client.query(
        `DELETE FROM ${table} AS t USING unnest($1::text[], $2::text[]) AS named (subject, what)
       WHERE t.subject = named.subject AND t.what = named.what AND t.total = 0`,
        [lessened.map(({ subject }) => subject), lessened.map(({ what }) => what)],
      ),
  ])
}

async function addToTallies(
  client: Statements,
  table: string,
  changes: readonly TallyChange[],
): Promise<void> {
  await client.query(
    `INSERT INTO ${table} AS t (subject, what, total)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
     ON CONFLICT (subject, what) DO UPDATE SET total = t.total + excluded.total`,
    [changes.map(({ subject }) => subject), changes.map(({ what }) => what), changes.map(({ by }) => by)],
  )
}
