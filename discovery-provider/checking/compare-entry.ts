import { isDeepStrictEqual } from 'node:util'
import type { PostgresClient } from '@hexachord/platform/postgres'
import type { Json } from '@hexachord/protocol/canonical'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import { deriveRange } from '../indexing/derive-range.ts'
import { readState } from '../indexing/state.ts'
import { type AnyProjection, projections, rowsOf } from '../projections/project.ts'
import { readDenied } from '../takedowns/denied-tracks.ts'
import { closureOf, placeOf } from './closure.ts'

/** Something stored that does not follow from the stored logs. */
export type Mismatch = {
  readonly where: 'state' | 'verdict' | 'table'
  /** Key of the state; `<block>-<log index>` of the action; table and id. */
  readonly name: string
}

/** Derives an entry of the state anew, and with it all on which it depends, from stored logs by the rules, and compares
 * that with what is stored: the state, the verdicts, and the rows that are read.
 * @param client in a transaction that sees one moment
 * @returns undefined when the entry depends on too much */
export async function compareEntry(
  client: PostgresClient,
  rules: CatalogueRules,
  key: string,
  signal: AbortSignal,
): Promise<Mismatch[] | undefined> {
  const closure = await closureOf(client, key, signal)
  if (closure === undefined) return undefined
  const { logs, keys, verdicts } = closure
  const blocks = logs.map(({ blockNumber: number, blockHash: hash, blockTimestamp }) => ({
    number,
    hash,
    parentHash: '',
    timestamp: blockTimestamp ?? 0,
  }))
  const derived = await deriveRange({
    rules,
    range: { logs: [...logs], blocks },
    stateHash: genesisStateHash,
    operatorEvents: [],
    read: async () => new Map(),
    signal,
  })
  const stored = await readState(client, [...keys])
  const values = new Map([...keys].map((one) => [one, plain(derived.state.get(one) ?? null)]))
  const ofState = [...values].filter(([one, value]) => !isDeepStrictEqual(value, stored.get(one) ?? null))
  const ofVerdicts = derived.actions
    .map(({ place, verdict }) => ({
      name: placeOf({ block: place.block, log_index: place.logIndex }),
      verdict,
    }))
    .filter(({ name, verdict }) => verdicts.get(name) !== verdict.verdict)
  const ofTables: string[] = []
  for (const projection of projections) ofTables.push(...(await findOtherRows(client, projection, values)))
  return [
    ...ofState.map(([name]) => ({ where: 'state' as const, name })),
    ...ofVerdicts.map(({ name }) => ({ where: 'verdict' as const, name })),
    ...ofTables.map((name) => ({ where: 'table' as const, name })),
  ]
}

/** Rows that are missing, have to go, or are others. */
async function findOtherRows(
  client: PostgresClient,
  projection: AnyProjection,
  values: ReadonlyMap<string, Json>,
): Promise<string[]> {
  const { table, columns } = projection
  const prefix = `${projection.space}/`
  const entries = [...values].flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
  )
  if (entries.length === 0) return []
  const { rows, gone } = rowsOf(projection, entries)
  const denied = projection.deniable
    ? await readDenied(
        client,
        rows.map(({ id }) => id),
      )
    : new Set()
  const of = (alias: string) => columns.map((column) => `${alias}.${column}`).join(', ')
  const { rows: found } = await client.query<{ id: string }>(
    `SELECT fresh.id FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb) AS fresh
     LEFT JOIN ${table} AS stored ON stored.id = fresh.id
     WHERE (${of('fresh')}) IS DISTINCT FROM (${of('stored')})
     UNION ALL SELECT id FROM ${table} WHERE id = ANY ($2)`,
    [JSON.stringify(rows.filter(({ id }) => !denied.has(id))), [...gone, ...denied]],
  )
  return found.map(({ id }) => `${table} ${id}`)
}

/** Without members that are undefined, which the database cannot tell from absent ones. */
function plain(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}
