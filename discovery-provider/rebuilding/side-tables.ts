import type { Statements } from '@hexachord/platform/postgres'

/** Where tables stand that are being made beside those that are read. */
export const buildingSchema = 'building'

/** Makes empty tables beside live ones, each with the columns, their options, the constraints and the indexes of its
 * twin, under the same names. What an earlier, interrupted attempt left is dropped. */
export async function makeSideTables(client: Statements, tables: readonly string[]): Promise<void> {
  await client.query(`DROP SCHEMA IF EXISTS ${buildingSchema} CASCADE`)
  await client.query(`CREATE SCHEMA ${buildingSchema}`)
  for (const table of tables) {
    const side = `${buildingSchema}.${table}`
    await client.query(`CREATE TABLE ${side} (LIKE public.${table} INCLUDING ALL EXCLUDING INDEXES)`)
    const { rows } = await client.query<{ name: string; definition: string; key: string | null }>(
      `SELECT quote_ident(i.relname) AS name, pg_get_indexdef(i.oid) AS definition, pg_get_constraintdef(k.oid) AS key
       FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
       LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.contype IN ('p', 'u')
       WHERE x.indrelid = $1::regclass`,
      [`public.${table}`],
    )
    for (const { name, definition, key } of rows) {
      // An index's definition names its table once, with its schema. LIKE would copy indexes under other names.
      await client.query(
        key === null
          ? definition.replace(' ON public.', ` ON ${buildingSchema}.`)
          : `ALTER TABLE ${side} ADD CONSTRAINT ${name} ${key}`,
      )
    }
    await copyColumnOptions(client, table, side)
  }
}

/** What LIKE leaves out: how the server is to estimate a column. */
async function copyColumnOptions(client: Statements, table: string, side: string): Promise<void> {
  const { rows } = await client.query<{ name: string; options: string }>(
    `SELECT quote_ident(attname) AS name, array_to_string(attoptions, ', ') AS options FROM pg_attribute
     WHERE attrelid = $1::regclass AND attoptions IS NOT NULL`,
    [`public.${table}`],
  )
  for (const { name, options } of rows) {
    await client.query(`ALTER TABLE ${side} ALTER COLUMN ${name} SET (${options})`)
  }
}

/** Puts the tables that were made beside live ones in their place. Readers are kept out until the transaction ends,
 * which is at once: nothing is copied. */
export async function swapSideTables(client: Statements, tables: readonly string[]): Promise<void> {
  const live = tables.map((table) => `public.${table}`).join(', ')
  await client.query(`LOCK TABLE ${live} IN ACCESS EXCLUSIVE MODE`)
  await client.query(`DROP TABLE ${live}`)
  for (const table of tables) await client.query(`ALTER TABLE ${buildingSchema}.${table} SET SCHEMA public`)
  await client.query(`DROP SCHEMA ${buildingSchema}`)
}
