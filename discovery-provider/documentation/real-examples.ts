import { parseSubject, type Subject } from '@hexachord/protocol/names'
import { newestPlaylistsQuery } from '../pioneer/lists.ts'
import { opaqueSubject, opaqueUser } from '../pioneer/opaque-ids.ts'
import { type Database, exampleAuthor, exampleOperator } from '../reading/entity.ts'
import { listTracks } from '../reading/tracks.ts'

const exampleTrack: Subject = `${exampleAuthor}-11`
const examplePlaylist: Subject = `${exampleAuthor}-12`

/** Of the examples of comments, apps, actions and app passwords. */
const exampleComment: Subject = `${exampleAuthor}-13`
const exampleApp: Subject = `${exampleAuthor}-14`
const exampleAction = `0x${'5f'.repeat(32)}`
const exampleAppPassword = 'pYd3nGq7Xk2a'

/** One of each; what was deleted is none. */
const anyStatement = `SELECT
  (SELECT id FROM comment WHERE root IS NULL AND NOT deleted LIMIT 1) AS comment,
  (SELECT id FROM app LIMIT 1) AS app,
  (SELECT handle FROM profile WHERE handle IS NOT NULL LIMIT 1) AS handle`
type AnyRow = Readonly<Record<'comment' | 'app' | 'handle', string | null>>

/** What stands in this catalogue in place of the names in examples, so that a command that is copied has an answer: the
 * newest track, its author, its last action and the words of its title, the newest playlist, an operator, a comment, an
 * app and a handle. Of what there is none, and of app passwords, which are their owner's, a word says what to put there;
 * where there is no track, playlist or operator, the name of the example stays.
 * @returns words, as patterns, and what to write for them, longer words before those that are in them */
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
  const [any] = (await database.query<AnyRow>(anyStatement)).rows
  const handle = any?.handle ?? 'HANDLE'
  return [
    ...(track ? subjectWords(exampleTrack, track.id) : []),
    ...(operator ? ([[exampleOperator, operator.id]] as const) : []),
    ...(playlist ? subjectWords(examplePlaylist, playlist) : []),
    [exampleComment, any?.comment ?? 'COMMENT_ID'],
    [exampleApp, any?.app ?? 'APP_ID'],
    [exampleAction, track?.last.digest ?? 'ACTION_HASH'],
    [exampleAppPassword, 'APP_PASSWORD_ID'],
    ['handle/guido', `handle/${handle}`],
    ['handle=guido', `handle=${handle}`],
    ['query=guido', `query=${handle}`],
    ['q=ut[+]queant', `q=${wordsIn(track?.title)}`],
    ['query=ut[+]queant', `query=${wordsIn(track?.title)}`],
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

/** The first words of a title as they stand in a query, without any sign that a shell or a page would take for its own. */
function wordsIn(title: string | undefined): string {
  const words = title?.normalize('NFC').match(/[\p{L}\p{N}]+/gu) ?? []
  return words.length === 0 ? 'WORDS' : words.slice(0, 2).map(encodeURIComponent).join('+')
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
