import { copyRows, type Statements } from '@hexachord/platform/postgres'
import type { SubjectState } from '@hexachord/protocol/actions'
import { authorOf, type Subject } from '@hexachord/protocol/names'

const noted: readonly SubjectState['kind'][] = ['track', 'playlist', 'user']

/** Leaves word that everything may be otherwise: also of authors of whom nothing will be left.
 * @param tracks the table that will be read from now on */
export async function noteAllChanged(client: Statements, tracks: string): Promise<void> {
  await client.query(
    `INSERT INTO catalogue_change (author, subject)
     SELECT author, author FROM (SELECT id AS author FROM shelf_artist UNION SELECT author FROM ${tracks}) AS everybody`,
  )
}

/** Leaves word of what has changed for views that are made only when somebody asks for them.
 * @param subjects with their new states; null where there is none any more */
export async function noteChanges(
  client: Statements,
  subjects: readonly (readonly [Subject, SubjectState | null])[],
): Promise<void> {
  const ids = subjects.flatMap(([id, state]) => (state === null || noted.includes(state.kind) ? [id] : []))
  if (ids.length === 0) return
  await copyRows(
    client,
    'catalogue_change',
    ['author', 'subject'],
    ids.map((id) => [authorOf(id), id]),
  )
}
