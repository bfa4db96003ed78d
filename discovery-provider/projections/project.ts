import type { PostgresClient } from '@hexachord/platform/postgres'
import type { SubjectState } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { isSubject, type Subject } from '@hexachord/protocol/names'
import { playlists } from './playlists.ts'
import { profiles } from './profiles.ts'
import type { Projection } from './projection.ts'
import { tracks } from './tracks.ts'

const projections: readonly Projection[] = [tracks, profiles, playlists]

const subjectPrefix = 'subject/'

/** Brings every table that is read up to date with values of the state.
 * @param state what changed, by key; null is what was removed. Keys that are no subject's are left alone */
export async function project(client: PostgresClient, state: ReadonlyMap<string, Json>): Promise<void> {
  const subjects = [...state].flatMap(([key, value]): [Subject, SubjectState | null][] => {
    const subject = key.startsWith(subjectPrefix) ? key.slice(subjectPrefix.length) : undefined
    return isSubject(subject) ? [[subject, value as SubjectState | null]] : []
  })
  for (const projection of projections) await projectInto(client, projection, subjects)
}

async function projectInto(
  client: PostgresClient,
  { table, columns, idOf, rowOf }: Projection,
  subjects: readonly (readonly [Subject, SubjectState | null])[],
): Promise<void> {
  const rows = []
  const gone = []
  for (const [subject, state] of subjects) {
    const id = idOf(subject)
    if (id === undefined) continue
    const row = state === null ? undefined : rowOf(subject, state)
    if (row === undefined) gone.push(id)
    else rows.push(row)
  }
  if (gone.length > 0) await client.query(`DELETE FROM ${table} WHERE id = ANY($1)`, [gone])
  if (rows.length === 0) return
  const names = columns.join(', ')
  const updates = columns.map((column) => `${column} = excluded.${column}`).join(', ')
  await client.query(
    `INSERT INTO ${table} (${names})
     SELECT ${names} FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)
     ON CONFLICT (id) DO UPDATE SET ${updates}`,
    [JSON.stringify(rows)],
  )
}
