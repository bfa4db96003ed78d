import type { PostgresClient } from '@hexachord/platform/postgres'
import type { Json } from '@hexachord/protocol/canonical'
import { type AnyProjection, projections, putRows, rowsOf } from '../projections/project.ts'
import { countStoredRows } from '../projections/tallies.ts'
import { dropDenied } from '../takedowns/denied-tracks.ts'
import type { Building } from './building.ts'

/** Rows that are read at once. Contents have up to 8 KiB. */
const batchRows = 2_000

/** Makes those tables of a building that show the state, and what is counted of them; the state is that of the
 * building, if it has one. */
export async function remakeTables(building: Building): Promise<void> {
  const stale = projections.filter(({ table }) => building.tables.includes(table))
  for (const space of new Set(stale.map(({ space }) => space))) {
    const shown = stale.filter((projection) => projection.space === space)
    await building.begin(shown.map(({ table }) => table).join(' '), 'state')
    await remakeOfSpace(building, space, shown)
  }
  for (const { table } of stale.filter(({ deniable }) => deniable)) {
    await building.whole((client) => dropDenied(client, table))
  }
  if (building.tables.includes('tally')) {
    for (const projection of projections) {
      if (projection.tallies !== undefined) await remakeTallies(building, projection)
    }
  }
  for (const table of building.tables) {
    // The planner knows nothing yet of what nobody has read.
    await building.whole(async (client) => {
      await client.query(`ANALYZE ${table}`)
    })
  }
}

async function remakeOfSpace(
  building: Building,
  space: string,
  shown: readonly AnyProjection[],
): Promise<void> {
  const prefix = `${space}/`
  for (let after: string | undefined = prefix; after !== undefined; ) {
    const from: string = after
    const entries = await building.batch(
      async (client) => {
        const entries = await readEntries(client, from, `${space}0`)
        const named = entries.map(({ key, value }) => [key.slice(prefix.length), value] as const)
        for (const projection of shown) await putRows(client, projection, rowsOf(projection, named).rows)
        return entries
      },
      ({ length }) => length,
    )
    after = entries.at(-1)?.key
  }
}

/** @param end what follows on the last key of a space: '0' is the character after '/' */
async function readEntries(client: PostgresClient, after: string, end: string) {
  const { rows } = await client.query<{ key: string; value: Json }>(
    'SELECT key, value FROM state WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3',
    [after, end, batchRows],
  )
  return rows
}

async function remakeTallies(building: Building, projection: AnyProjection): Promise<void> {
  await building.begin(`tally ${projection.table}`, projection.table)
  for (let after: string | undefined = ''; after !== undefined; ) {
    const from: string = after
    const counted = await building.batch(
      (client) => countStoredRows(client, projection, { into: 'tally', after: from, rows: batchRows }),
      (counted) => counted?.rows ?? 0,
    )
    after = counted?.last
  }
}
