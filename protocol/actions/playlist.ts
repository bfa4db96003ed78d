import * as z from 'zod'
import { cidSchema } from '../cids/index.ts'
import { hashSchema, numberOf, type Subject, subjectSchema, userNumber } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, type RuleInput, reject, type Verdict } from './rule.ts'
import { sealedSchema } from './sealed.ts'
import { lineText, longText } from './text.ts'

/** Longest playlist, in tracks. */
export const maximumPlaylistTracks = 2000

const firstContentSchema = z.strictObject({
  prev: hashSchema.nullable(),
  title: lineText(200).optional(),
  description: longText(2000).optional(),
  album: z.boolean().optional(),
  unlisted: z.boolean().optional(),
  /** Taken out first, wherever they stand. */
  remove: z.array(subjectSchema).max(80).optional(),
  /** Put in then, in order: each at a place (0 is the first) or, without one, at the end. */
  add: z
    .array(z.strictObject({ track: subjectSchema, at: z.int().min(0).max(maximumPlaylistTracks).optional() }))
    .max(80)
    .optional(),
})

export const playlistContentSchema = firstContentSchema.extend({
  /** A picture; null takes it away. */
  cover: cidSchema.nullable().optional(),
  /** Carried out last, one after the other: a track that is in the list goes to a place among the others. */
  move: z
    .array(z.strictObject({ track: subjectSchema, to: z.int().min(0).max(maximumPlaylistTracks) }))
    .max(80)
    .optional(),
  /** All that a private playlist says. Nothing else stands beside it. */
  sealed: sealedSchema.optional(),
})
export type PlaylistContent = z.infer<typeof playlistContentSchema>

/** Makes a playlist or album, or changes one by a delta: fields that are left out stay as they are. A track
 * stands in a playlist at most once. A private playlist is sealed whole, again at each change; it stays private, as a
 * public one stays public, since what stood on the chain once cannot be hidden any more. */
export const playlistKind: Kind<PlaylistContent> = {
  number: 3,
  schema: playlistContentSchema,
  reads: () => [],
  rule(input) {
    const { action, before, content } = input
    if (numberOf(action.subject) === userNumber || (before && before.kind !== 'playlist')) {
      return reject('wrongSubject', 'this number is not free for a playlist')
    }
    if (content.sealed !== undefined || before?.body.sealed !== undefined) return sealAnew(input)
    const { prev: _, remove: __, add: ___, move: ____, ...fields } = content
    const body = { ...before?.body, ...fields }
    if (body.title === undefined) return reject('malformed', 'a new playlist needs a title')
    const tracks = changedTracks((before?.body.tracks ?? []) as Subject[], content)
    if (tracks.length > maximumPlaylistTracks) {
      return reject('listTooLong', `a playlist holds ${maximumPlaylistTracks} tracks`)
    }
    return { verdict: 'applied', changes: [changeSubject(input, 'playlist', { ...body, tracks })] }
  },
}

/** As version 1 of the rules has it. */
export const firstPlaylistKind: Kind<PlaylistContent> = { ...playlistKind, schema: firstContentSchema }

function changedTracks(
  before: readonly Subject[],
  { remove = [], add = [], move = [] }: PlaylistContent,
): Subject[] {
  const removed = new Set<Subject>(remove)
  const tracks = before.filter((track) => !removed.has(track))
  const present = new Set(tracks)
  for (const { track, at } of add) {
    if (present.has(track)) continue
    present.add(track)
    tracks.splice(at ?? tracks.length, 0, track)
  }
  for (const { track, to } of move) {
    if (!present.has(track)) continue
    tracks.splice(tracks.indexOf(track), 1)
    tracks.splice(to, 0, track)
  }
  return tracks
}

function sealAnew(input: RuleInput<PlaylistContent>): Verdict {
  const { before, content } = input
  const { prev: _, sealed, ...open } = content
  if (before && before.body.sealed === undefined) {
    return reject('wrongSubject', 'what was public stays public: make a new playlist that is private')
  }
  if (sealed === undefined || Object.keys(open).length > 0) {
    return reject('malformed', 'a private playlist says everything in sealed')
  }
  return { verdict: 'applied', changes: [changeSubject(input, 'playlist', { sealed })] }
}
