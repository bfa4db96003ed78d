import { type Statements, together } from '@hexachord/platform/postgres'
import type { PlacedRow, Projection, Tally, TallyRule } from './projection.ts'

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
  rules: readonly TallyRule<Row>[] | undefined,
  row: Row,
  by: 1 | -1,
): void {
  for (const { of, what: prefix, whatColumn, unless } of rules ?? []) {
    const subject = row[of] as string | null
    if (subject === null || (unless !== undefined && row[unless])) continue
    const what = whatColumn === undefined ? prefix : `${prefix}${row[whatColumn]}`
    const key = `${subject} ${what}`
    const known = changes.get(key)
    if (known === undefined) changes.set(key, { subject, what, by })
    else known.by += by
  }
}

/** Adds what the next rows of a table count to tallies that begin from nothing.
 * @param into the table of tallies
 * @param after id of the last row that was counted, empty before the first
 * @returns id of the last row that is counted now and how many were; undefined when there are no more */
export async function countStoredRows<Row extends PlacedRow, Name extends string, Value>(
  client: Statements,
  { table, tallies = [] }: Counted<Row, Name, Value>,
  { into, after, rows: limit }: { into: string; after: string; rows: number },
): Promise<{ last: string; rows: number } | undefined> {
  if (tallies.length === 0) return undefined
  const columns = tallies.flatMap(({ of, whatColumn = of, unless = of }) => [of, whatColumn, unless])
  const counted = tallies.map(
    ({ of, what, whatColumn, unless }) =>
      `SELECT ${of} AS subject, '${what}'${whatColumn === undefined ? '' : ` || ${whatColumn}`} AS what FROM batch
       WHERE ${of} IS NOT NULL${unless === undefined ? '' : ` AND NOT ${unless}`}`,
  )
  const { rows } = await client.query<{ last: string | null; rows: number }>(
    `WITH batch AS (
       SELECT ${[...new Set(['id', ...columns])].join(', ')} FROM ${table} WHERE id > $1 ORDER BY id LIMIT $2
     ), added AS (
       INSERT INTO ${into} AS t (subject, what, total)
       SELECT subject, what, count(*) FROM (${counted.join(' UNION ALL ')}) AS counted GROUP BY subject, what
       ON CONFLICT (subject, what) DO UPDATE SET total = t.total + excluded.total
     )
     SELECT max(id) AS last, count(*) AS rows FROM batch`,
    [after, limit],
  )
  const [batch] = rows
  return batch === undefined || batch.last === null ? undefined : { last: batch.last, rows: batch.rows }
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
