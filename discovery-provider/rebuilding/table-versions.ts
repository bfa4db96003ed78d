import type { Statements } from '@hexachord/platform/postgres'
import { projections, tableVersions } from '../projections/project.ts'

/** Tables that another version of their projection has made, and what is counted of such. */
export async function readStaleTables(client: Statements): Promise<string[]> {
  const { rows } = await client.query<{ name: string; version: number }>(
    'SELECT name, version FROM table_version',
  )
  const stored = new Map(rows.map(({ name, version }) => [name, version]))
  const stale = new Set(
    [...tableVersions.keys()].filter((table) => stored.get(table) !== tableVersions.get(table)),
  )
  if (projections.some(({ table, tallies }) => tallies !== undefined && stale.has(table))) stale.add('tally')
  return [...stale]
}

/** Says that all tables are of the present versions. */
export async function writeTableVersions(client: Statements): Promise<void> {
  await client.query('DELETE FROM table_version')
  await client.query(
    'INSERT INTO table_version (name, version) SELECT * FROM unnest($1::text[], $2::integer[])',
    [[...tableVersions.keys()], [...tableVersions.values()]],
  )
}
