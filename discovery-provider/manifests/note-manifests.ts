import type { Statements } from '@hexachord/platform/postgres'
import type { SubjectState } from '@hexachord/protocol/actions'
import type { Subject } from '@hexachord/protocol/names'

/** Leaves word of all tracks whose manifests have not been read.
 * @param tracks the table that will be read from now on */
export async function noteAllManifests(client: Statements, tracks: string): Promise<void> {
  await client.query(
    `INSERT INTO manifest_due (track)
     SELECT t.id FROM ${tracks} t WHERE NOT EXISTS (SELECT FROM manifest_seen m WHERE m.manifest = t.manifest AND m.audio IS NOT NULL)
     ON CONFLICT (track) DO NOTHING`,
  )
}

/** Leaves word of tracks whose manifests may not have been read.
 * @param subjects with their new states; null where there is none any more */
export async function noteManifests(
  client: Statements,
  subjects: readonly (readonly [Subject, SubjectState | null])[],
): Promise<void> {
  const tracks = subjects.flatMap(([id, state]) => (state?.kind === 'track' && !state.deleted ? [id] : []))
  if (tracks.length === 0) return
  await client.query(
    `INSERT INTO manifest_due (track) SELECT unnest($1::text[])
     ON CONFLICT (track) DO UPDATE SET attempts = 0, at_ms = 0`,
    [tracks],
  )
}
