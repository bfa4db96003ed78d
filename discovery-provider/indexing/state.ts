import type { Postgres, PostgresClient } from '@hexachord/platform/postgres'
import type { Json } from '@hexachord/protocol/canonical'

/** Current values of keys; those without one are left out. */
export async function readState(
  client: Pick<Postgres, 'query'>,
  keys: readonly string[],
): Promise<Map<string, Json>> {
  const { rows } = await client.query<{ key: string; value: Json }>(
    'SELECT key, value FROM state WHERE key = ANY($1)',
    [keys],
  )
  return new Map(rows.map(({ key, value }) => [key, value]))
}

/** Sets keys to values; null removes. */
export async function writeState(client: PostgresClient, state: ReadonlyMap<string, Json>): Promise<void> {
  const removed = [...state].flatMap(([key, value]) => (value === null ? [key] : []))
  const set = [...state].filter(([, value]) => value !== null)
  if (removed.length > 0) await client.query('DELETE FROM state WHERE key = ANY($1)', [removed])
  if (set.length === 0) return
  await client.query(
    `INSERT INTO state (key, value) SELECT * FROM unnest($1::text[], $2::jsonb[])
     ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    [set.map(([key]) => key), set.map(([, value]) => JSON.stringify(value))],
  )
}
