import {
  type CopyValue,
  copyRows,
  type Prepared,
  prepared,
  type Statements,
  together,
} from '@hexachord/platform/postgres'
import type { SubjectState } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { isSubject, type Subject } from '@hexachord/protocol/names'
import { noteAllManifests, noteManifests } from '../manifests/note-manifests.ts'
import { noteAllRankable, noteManyRankable } from '../ranking/index.ts'
import { type Heeded, heedNotices } from '../takedowns/denied-tracks.ts'
import type { Honoured } from '../takedowns/honoured.ts'
import { apps, delegations } from './apps.ts'
import { otherBeside } from './beside-version.ts'
import { comments, pins, reactions } from './comments.ts'
import { type EdgeName, endsOf, follows, mutes, reposts, saves } from './edges.ts'
import { noteAllChanged, noteChanges } from './note-changes.ts'
import { notices } from './notices.ts'
import { operatorVersion } from './operators.ts'
import { playlists } from './playlists.ts'
import { profiles } from './profiles.ts'
import type { PlacedRow, Projection } from './projection.ts'
import { noteAllWords, noteWords } from './search-words.ts'
import { changeTallies, countRow, countStoredRows, type TallyChanges, tallyVersion } from './tallies.ts'
import { tracks } from './tracks.ts'

/** Each takes the names and values of its own space, which the compiler cannot see in a list of them all. */
export type AnyProjection = Projection<PlacedRow, string, Json>

export const projections = [
  tracks,
  profiles,
  playlists,
  comments,
  apps,
  follows,
  saves,
  reposts,
  mutes,
  reactions,
  pins,
  delegations,
  notices,
] as unknown as readonly AnyProjection[]

/** Version of every table that is read, by its name. */
export const tableVersions: ReadonlyMap<string, number> = new Map([
  ...projections.map(({ table, version }) => [table, version] as const),
  ['tally', tallyVersion],
  ['operator', operatorVersion],
])

/** A value of the state as it was and as it will be; null where there is none. */
export type StateChange = {
  readonly before: Json
  readonly after: Json
  /** JSON of what it will be, where somebody has it already. */
  readonly afterText?: string
}

/** Brings every table that is read up to date with the state. What is denied here is left out in this place, so that no
 * query of anything that is read has to know of it.
 * @param changes of the state, by key. Keys of other spaces are left alone
 * @param inFull whether tallies are kept as well, and word for those who make more of these tables; else
 * {@link countAll} and {@link noteAll} have to make up for it
 * @param honoured whose notices deny tracks: those in the database */
export async function project(
  client: Statements,
  changes: ReadonlyMap<string, StateChange>,
  { inFull, honoured }: { inFull: boolean; honoured: Honoured },
): Promise<void> {
  // Where nobody is honoured nothing is asked, nor waited for.
  const heeded = honoured.size === 0 ? undefined : await heedNotices(client, changes, honoured)
  const { state, denied }: Heeded = heeded ?? { state: changes, denied: new Set() }
  const bySpace = new Map<string, [name: string, change: StateChange][]>()
  for (const [key, change] of state) {
    const slash = key.indexOf('/')
    const space = key.slice(0, slash)
    const entries = bySpace.get(space) ?? []
    entries.push([key.slice(slash + 1), change])
    bySpace.set(space, entries)
  }
  const tallies: TallyChanges | undefined = inFull ? new Map() : undefined
  await together([
    ...projections.map((projection) =>
      projectInto(client, projection, bySpace.get(projection.space) ?? [], { tallies, denied }),
    ),
    tallies !== undefined && changeTallies(client, 'tally', [...tallies.values()]),
    inFull && note(client, bySpace),
  ])
}

/** What has changed of each space, by the names of its entries. */
type ChangesBySpace = ReadonlyMap<string, readonly [name: string, change: StateChange][]>

/** Leaves word of what has changed. */
async function note(client: Statements, bySpace: ChangesBySpace): Promise<void> {
  const subjects = subjectsIn(bySpace.get('subject') ?? [])
  const marks = [saves, reposts].flatMap(({ space }) => bySpace.get(space) ?? [])
  await together([
    noteChanges(client, subjects),
    noteManifests(client, subjects),
    // Words are those of the rows that are there by then.
    noteWords(
      client,
      subjects.map(([id]) => id),
    ),
    noteManyRankable(client, [
      ...subjects.flatMap(([id, state]) => (state === null || state.kind === 'track' ? [id] : [])),
      ...marks.map(([name]) => endsOf(name as EdgeName).target),
    ]),
  ])
}

/** Rows that are counted by one statement. */
const countedAtOnce = 100_000

/** Counts everything anew, in one transaction, so that nothing is counted twice. */
export async function countAll(client: Statements): Promise<void> {
  await client.query('DELETE FROM tally')
  for (const projection of projections) {
    if (projection.tallies === undefined) continue
    for (let after: string | undefined = ''; after !== undefined; ) {
      const place: Parameters<typeof countStoredRows>[2] = { into: 'tally', after, rows: countedAtOnce }
      const counted = await countStoredRows(client, projection, place)
      after = counted?.last
    }
  }
  await client.query(otherBeside)
}

/** Leaves word of everything that there is. */
export async function noteAll(client: Statements): Promise<void> {
  await noteAllWords(client)
  await noteAllChanged(client, 'track')
  await noteAllManifests(client, 'track')
  await noteAllRankable(client, 'track')
}

function subjectsIn(
  entries: readonly [name: string, change: StateChange][],
): (readonly [Subject, SubjectState | null])[] {
  return entries.flatMap(([name, { after }]) =>
    isSubject(name) ? [[name, after as unknown as SubjectState | null] as const] : [],
  )
}

/** What a row counts is told by the state that it shows, so that no row has to be read. */
async function projectInto(
  client: Statements,
  projection: AnyProjection,
  entries: readonly [name: string, change: StateChange][],
  { tallies, denied }: { tallies: TallyChanges | undefined; denied: ReadonlySet<string> },
): Promise<void> {
  const added: PlacedRow[] = []
  const changed: PlacedRow[] = []
  const gone: string[] = []
  for (const [name, { before, after }] of entries) {
    const old = rowFor(projection, name, before)
    const row = rowFor(projection, name, after)
    if (tallies !== undefined && old !== undefined) countRow(tallies, projection.tallies, old, -1)
    if (tallies !== undefined && row !== undefined) countRow(tallies, projection.tallies, row, 1)
    const isShown = row !== undefined && !(projection.deniable && denied.has(row.id))
    if (isShown) (old === undefined ? added : changed).push(row)
    else if (old !== undefined) gone.push(old.id)
  }
  await together([
    gone.length > 0 && client.query(`DELETE FROM ${projection.table} WHERE id = ANY($1)`, [gone]),
    addRows(client, projection, added),
    putRows(client, projection, changed),
  ])
}

/** What a projection shows of an entry, if anything. */
function rowFor({ kind, idOf, rowOf }: AnyProjection, name: string, value: Json): PlacedRow | undefined {
  if (value === null || (kind !== undefined && (value as { kind?: Json }).kind !== kind)) return undefined
  return idOf(name) === undefined ? undefined : rowOf(name, value)
}

/** What a projection shows of entries, and ids of rows that it does not or no longer has.
 * @param entries names and values of its space; null is what was removed */
export function rowsOf(
  { kind, idOf, rowOf }: AnyProjection,
  entries: readonly (readonly [name: string, value: Json])[],
): { rows: PlacedRow[]; gone: string[] } {
  const rows: PlacedRow[] = []
  const gone: string[] = []
  for (const [name, value] of entries) {
    const id = idOf(name)
    const isOther = kind !== undefined && value !== null && (value as { kind?: Json }).kind !== kind
    if (id === undefined || isOther) continue
    const row = value === null ? undefined : rowOf(name, value)
    if (row === undefined) gone.push(id)
    else rows.push(row)
  }
  return { rows, gone }
}

/** Writes rows whose ids the table does not have: what most rows are, and much the cheaper way. */
async function addRows(
  client: Statements,
  { table, columns, columnTypes, jsonColumns = [] }: AnyProjection,
  rows: readonly PlacedRow[],
): Promise<void> {
  if (rows.length === 0) return
  const values = (row: PlacedRow) => {
    const fields = row as unknown as Record<string, CopyValue>
    if (jsonColumns.length === 0) return columns.map((column) => fields[column])
    return columns.map((column) => {
      const value = fields[column]
      // An array would become one of Postgres, which JSON is not.
      return jsonColumns.includes(column) && value !== null ? JSON.stringify(value) : value
    })
  }
  // Neighbours in the index are added one after the other.
  const sorted = rows.toSorted((left, right) => (left.id < right.id ? -1 : 1))
  await copyRows(client, table, columnTypes ?? columns, sorted.map(values))
}

/** Writes rows over those of the same ids. */
export async function putRows(
  client: Statements,
  { table, columns }: AnyProjection,
  rows: readonly PlacedRow[],
): Promise<void> {
  if (rows.length === 0) return
  await client.query(putRowsInto(table, columns), [JSON.stringify(rows)])
}

const puts = new Map<string, Prepared>()

function putRowsInto(table: string, columns: readonly string[]): Prepared {
  const names = columns.join(', ')
  const known = puts.get(`${table} ${names}`)
  if (known !== undefined) return known
  const updates = columns.map((column) => `${column} = excluded.${column}`).join(', ')
  const statement = prepared(
    `put-${table}`,
    `INSERT INTO ${table} (${names})
     SELECT ${names} FROM json_populate_recordset(NULL::${table}, $1::json)
     ON CONFLICT (id) DO UPDATE SET ${updates}`,
  )
  puts.set(`${table} ${names}`, statement)
  return statement
}
