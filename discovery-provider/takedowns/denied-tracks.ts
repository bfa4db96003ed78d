import type { Statements } from '@hexachord/platform/postgres'
import type { SubjectState } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { authorOf, isSubject, type Subject } from '@hexachord/protocol/names'
import { readState } from '../indexing/state.ts'
import { noteDueAgain } from '../likeness/note-due.ts'
import { notices } from '../projections/notices.ts'
import type { StateChange } from '../projections/project.ts'
import type { Honoured } from './honoured.ts'

/** A change of the state as it is to be shown. */
export type Heeded = {
  /** The change, and besides, as they are, further tracks of which it may be otherwise now whether they are shown. */
  readonly state: ReadonlyMap<string, StateChange>
  /** Tracks that are not shown, of those in `state`. */
  readonly denied: ReadonlySet<string>
}

/** Statement after which whoever keeps something of the catalogue forgets all of it: tracks have come or gone whose
 * authors have done nothing. */
const otherTracks = `UPDATE table_version SET version = version WHERE name = 'track'`

/** Says which tracks are not to be shown after a change of the state, by the notices from before it and in it.
 * @param honoured those in the database */
export async function heedNotices(
  client: Statements,
  state: ReadonlyMap<string, StateChange>,
  honoured: Honoured,
): Promise<Heeded> {
  const { tracks, noticed } = tracksAndNotices(state, honoured)
  const about = new Set([...noticed.values()].flatMap(({ was, now }) => [was, now]))
  const others = await readTracks(
    client,
    [...about].filter((track) => track !== undefined && !state.has(keyOf(track))) as Subject[],
  )
  const denied = await readDenied(client, [...tracks, ...others.keys()], [...noticed.keys()])
  for (const { now } of noticed.values()) if (now !== undefined) denied.add(now)
  if (others.size === 0) return { state, denied }
  await client.query(otherTracks)
  await noteDueAgain(client, [...others.keys()])
  return { state: new Map([...state, ...asTheyAre(others)]), denied }
}

/** Tracks at once that may be otherwise when other accounts are honoured. */
const batchTracks = 2_000

/** Chooses anew which tracks that some accounts' notices are about are shown.
 * @param accounts whose notices are honoured now and were not before, or the other way round
 * @param show shows tracks as they are, but for those that the database's notices and honoured accounts deny */
export async function chooseAnew(
  client: Statements,
  accounts: readonly string[],
  show: (state: ReadonlyMap<string, StateChange>) => Promise<void>,
): Promise<void> {
  for (let after = ''; ; ) {
    const { rows } = await client.query<{ track: Subject }>(
      `SELECT DISTINCT track FROM notice WHERE author = ANY ($1) AND track > $2 ORDER BY track LIMIT ${batchTracks}`,
      [accounts, after],
    )
    const last = rows.at(-1)
    if (last === undefined) break
    const tracks = await readTracks(
      client,
      rows.map(({ track }) => track),
    )
    await noteDueAgain(client, [...tracks.keys()])
    await show(asTheyAre(tracks))
    after = last.track
  }
  await client.query(otherTracks)
}

/** Those of some tracks that are denied here.
 * @param except notices that do not count */
export async function readDenied(
  client: Statements,
  tracks: readonly string[],
  except: readonly string[] = [],
): Promise<Set<string>> {
  if (tracks.length === 0) return new Set()
  const { rows } = await client.query<{ track: string }>(
    `SELECT DISTINCT n.track FROM notice n JOIN honoured h ON h.account = n.author
     WHERE n.track = ANY ($1) AND n.id <> ALL ($2)`,
    [tracks, except],
  )
  return new Set(rows.map(({ track }) => track))
}

/** Takes out of a table of tracks what is denied here. */
export async function dropDenied(client: Statements, table: string): Promise<void> {
  await client.query(
    `DELETE FROM ${table} AS t USING notice n JOIN honoured h ON h.account = n.author WHERE n.track = t.id`,
  )
}

/** Tracks that a change of the state shows, and what its honoured notices were and are about. */
function tracksAndNotices(state: ReadonlyMap<string, StateChange>, honoured: Honoured) {
  const tracks: Subject[] = []
  const noticed = new Map<Subject, { was: Subject | undefined; now: Subject | undefined }>()
  for (const [key, { before, after }] of state) {
    const id = key.slice(subjectSpace.length)
    if (!key.startsWith(subjectSpace) || !isSubject(id)) continue
    if (isTrack(after)) tracks.push(id)
    if (!honoured.has(authorOf(id))) continue
    const [was, now] = [trackOfNotice(id, before), trackOfNotice(id, after)]
    if (was !== undefined || now !== undefined) noticed.set(id, { was, now })
  }
  return { tracks, noticed }
}

const subjectSpace = 'subject/'
const keyOf = (subject: Subject) => `${subjectSpace}${subject}`

function isTrack(value: Json): boolean {
  const state = value as SubjectState | null
  return state !== null && state.kind === 'track' && !state.deleted
}

function trackOfNotice(id: Subject, value: Json): Subject | undefined {
  if (value === null) return undefined
  return notices.rowOf(id, value as unknown as SubjectState)?.track as Subject | undefined
}

async function readTracks(client: Statements, ids: readonly Subject[]): Promise<Map<Subject, Json>> {
  if (ids.length === 0) return new Map()
  const values = await readState(client, ids.map(keyOf))
  const tracks = [...values].filter(([, value]) => isTrack(value))
  return new Map(tracks.map(([key, value]) => [key.slice(subjectSpace.length) as Subject, value]))
}

function asTheyAre(tracks: ReadonlyMap<Subject, Json>): Map<string, StateChange> {
  return new Map([...tracks].map(([id, value]) => [keyOf(id), { before: value, after: value }]))
}
