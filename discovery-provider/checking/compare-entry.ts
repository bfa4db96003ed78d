import { isDeepStrictEqual } from 'node:util'
import type { ChainLog } from '@hexachord/platform/chain'
import type { PostgresClient } from '@hexachord/platform/postgres'
import type { Json } from '@hexachord/protocol/canonical'
import type { CatalogueRules, IndexedAction, RangeResult } from '@hexachord/protocol/catalogue'
import type { OperatorEvent } from '@hexachord/protocol/operators'
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
  const derived = await deriveAll(rules, logs, signal)
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

/** What follows from logs alone, range by range where much changes. */
async function deriveAll(
  rules: CatalogueRules,
  logs: readonly ChainLog[],
  signal: AbortSignal,
): Promise<Pick<RangeResult, 'state' | 'actions'>> {
  const state = new Map<string, Json>()
  const actions: IndexedAction[] = []
  const operatorEvents: OperatorEvent[] = []
  let stateHash = genesisStateHash
  for (let left = [...logs]; left.length > 0; ) {
    const blocks = left.map(({ blockNumber: number, blockHash: hash, blockTimestamp }) => ({
      number,
      hash,
      parentHash: '',
      timestamp: blockTimestamp ?? 0,
    }))
    const read = async () => state
    const range = { logs: left, blocks }
    const derived = await deriveRange({ rules, range, stateHash, operatorEvents, read, signal })
    for (const [key, value] of derived.state) state.set(key, value)
    actions.push(...derived.actions)
    operatorEvents.push(...derived.operatorEvents)
    stateHash = derived.stateHash
    const last = derived.isCut ? (derived.blocks.at(-1)?.number ?? 0) : Number.POSITIVE_INFINITY
    left = left.filter(({ blockNumber }) => blockNumber > last)
  }
  return { state, actions }
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
