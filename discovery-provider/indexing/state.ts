import { copyRows, type Postgres, type Statements, together } from '@hexachord/platform/postgres'
import type { Json } from '@hexachord/protocol/canonical'
import type { IndexedBlock, KeyChange } from '@hexachord/protocol/catalogue'
import type { StateChange } from '../projections/project.ts'
import type { StateMemory } from './state-memory.ts'

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

/** The same for the writer of the state: what it is about to write counts first, then what it still knows.
 * @param changed what the database may not hold yet; null where something was removed */
export async function readThrough(
  { changed, memory }: { changed: ReadonlyMap<string, Json>; memory: StateMemory },
  client: Pick<Postgres, 'query'>,
  keys: readonly string[],
): Promise<Map<string, Json>> {
  const values = new Map<string, Json>()
  const unknown: string[] = []
  for (const key of keys) {
    const change = changed.get(key)
    const value = change === undefined ? memory.find(key) : change
    if (value === undefined) unknown.push(key)
    else if (value !== null) values.set(key, value)
  }
  if (unknown.length === 0) return values
  const { rows } = await client.query<{ key: string; text: string }>(
    'SELECT key, value::text AS text FROM state WHERE key = ANY($1)',
    [unknown],
  )
  for (const { key, text } of rows) {
    const value = JSON.parse(text) as Json
    values.set(key, value)
    memory.learn(key, value, text.length)
  }
  return values
}

/** Whether there is nothing in the state. */
export async function isStateEmpty(client: Statements): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM state LIMIT 1')
  return rows.length === 0
}

/** What blocks change altogether, by key. */
export function changesOf(blocks: readonly Pick<IndexedBlock, 'changes'>[]): Map<string, KeyChange> {
  const all = new Map<string, KeyChange>()
  for (const { changes } of blocks) {
    for (const [key, change] of changes) {
      const earlier = all.get(key)
      all.set(key, earlier === undefined ? change : { ...change, before: earlier.before })
    }
  }
  return all
}

/** Makes keys what they are after their changes. */
export async function writeState(
  client: Statements,
  changes: ReadonlyMap<string, StateChange>,
): Promise<void> {
  const removed: string[] = []
  const made: [key: string, value: string][] = []
  const replaced: string[] = []
  for (const [key, { before, after, afterText = JSON.stringify(after) }] of changes) {
    if (after !== null && before !== null) replaced.push(`${JSON.stringify(key)}:${afterText}`)
    else if (after !== null) made.push([key, afterText])
    else if (before !== null) removed.push(key)
  }
  // Neighbours in the index are added one after the other.
  made.sort(([left], [right]) => (left < right ? -1 : 1))
  await together([
    removed.length > 0 && client.query('DELETE FROM state WHERE key = ANY($1)', [removed]),
    // Most keys are new, and most quickly copied.
    made.length > 0 && copyRows(client, 'state', { key: 'text', value: 'json' }, made),
    replaced.length > 0 &&
      client.query(
        `INSERT INTO state (key, value) SELECT key, value FROM json_each($1::json)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
        [`{${replaced.join(',')}}`],
      ),
  ])
}
