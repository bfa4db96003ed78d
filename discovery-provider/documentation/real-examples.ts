import { parseSubject, type Subject } from '@hexachord/protocol/names'
import { newestPlaylistsQuery } from '../pioneer/lists.ts'
import { opaqueSubject, opaqueUser } from '../pioneer/opaque-ids.ts'
import { type Database, exampleAuthor, exampleOperator } from '../reading/entity.ts'
import { listTracks } from '../reading/tracks.ts'

const exampleTrack: Subject = `${exampleAuthor}-11`
const examplePlaylist: Subject = `${exampleAuthor}-12`

/** What stands in this catalogue in place of the names in examples, so that a command that is copied has an answer: the
 * newest track, its author, the newest playlist and an operator. What there is none of keeps the name of the example.
 * @returns words and what to write for them, longer words before those that are in them */
export async function realExamples(
  database: Database,
  nowMs: number,
): Promise<readonly (readonly [word: string, actual: string])[]> {
  const { items } = await listTracks(database, { limit: 1, cursor: undefined }, nowMs)
  const [track] = items
  const { text, values } = newestPlaylistsQuery(1)
  const { rows } = await database.query<{ id: string }>(text, values)
  const playlist = rows[0] && parseSubject(rows[0].id)
  const operators = await database.query<{ id: string }>(
    'SELECT id FROM operator ORDER BY NOT active, id LIMIT 1',
  )
  const [operator] = operators.rows
  return [
    ...(track ? subjectWords(exampleTrack, track.id) : []),
    ...(operator ? ([[exampleOperator, operator.id]] as const) : []),
    ...(playlist ? subjectWords(examplePlaylist, playlist) : []),
    ...(track
      ? ([
          [exampleAuthor, track.author],
          [opaqueUser(exampleAuthor), opaqueUser(track.author)],
        ] as const)
      : []),
  ]
}

function subjectWords(example: Subject, actual: Subject): [string, string][] {
  return [
    [example, actual],
    [opaqueSubject(example), opaqueSubject(actual)],
  ]
}

/** The text with the words of examples replaced; other numbers of the example's author stay as they are. */
export function withRealExamples(
  text: string,
  words: readonly (readonly [word: string, actual: string])[],
): string {
  return words.reduce(
    (sofar, [word, actual]) => sofar.replaceAll(new RegExp(`${word}(?![0-9a-zA-Z]|-[0-9])`, 'g'), actual),
    text,
  )
}
