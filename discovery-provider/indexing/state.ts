import { copyRows, type Postgres, type PostgresClient, together } from '@hexachord/platform/postgres'
import type { Json } from '@hexachord/protocol/canonical'
import type { IndexedBlock } from '@hexachord/protocol/catalogue'
import type { StateChange } from '../projections/project.ts'

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

/** What is about to be written counts before what is stored.
 * @param read for the keys that do not change */
export async function readOver(
  changed: ReadonlyMap<string, Json>,
  keys: readonly string[],
  read: (keys: string[]) => Promise<ReadonlyMap<string, Json>>,
): Promise<ReadonlyMap<string, Json>> {
  const stored = keys.filter((key) => !changed.has(key))
  const values = stored.length > 0 ? await read(stored) : new Map<string, Json>()
  return new Map([...values, ...keys.flatMap((key) => entryOf(changed, key))])
}

function entryOf(values: ReadonlyMap<string, Json>, key: string): [string, Json][] {
  const value = values.get(key)
  return value === undefined ? [] : [[key, value]]
}

/** What blocks change altogether, by key. */
export function changesOf(blocks: readonly Pick<IndexedBlock, 'changes'>[]): Map<string, StateChange> {
  const all = new Map<string, StateChange>()
  for (const { changes } of blocks) {
    for (const [key, change] of changes) {
      const earlier = all.get(key)
      all.set(key, earlier === undefined ? change : { before: earlier.before, after: change.after })
    }
  }
  return all
}

/** Makes keys what they are after their changes. */
export async function writeState(
  client: PostgresClient,
  changes: ReadonlyMap<string, StateChange>,
): Promise<void> {
  const removed: string[] = []
  const made: [key: string, value: string][] = []
  const replaced: [key: string, value: Json][] = []
  for (const [key, { before, after }] of changes) {
    if (after !== null && before !== null) replaced.push([key, after])
    else if (after !== null) made.push([key, JSON.stringify(after)])
    else if (before !== null) removed.push(key)
  }
  await together([
    removed.length > 0 && client.query('DELETE FROM state WHERE key = ANY($1)', [removed]),
    // Most keys are new, and most quickly copied.
    made.length > 0 && copyRows(client, 'state', ['key', 'value'], made),
    replaced.length > 0 &&
      client.query(
        `INSERT INTO state (key, value) SELECT key, value FROM jsonb_each($1::jsonb)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
        [JSON.stringify(Object.fromEntries(replaced))],
      ),
  ])
}
