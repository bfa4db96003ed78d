import * as z from 'zod'
import { hashSchema, numberOf, type Subject, subjectSchema, userNumber } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, reject } from './rule.ts'
import { lineText, longText } from './text.ts'

/** Longest playlist, in tracks. */
export const maximumPlaylistTracks = 2000

export const playlistContentSchema = z.strictObject({
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
export type PlaylistContent = z.infer<typeof playlistContentSchema>

/** Makes a playlist or album, or changes one by a delta: fields that are left out stay as they are. A track
 * stands in a playlist at most once. */
export const playlistKind: Kind<PlaylistContent> = {
  number: 3,
  schema: playlistContentSchema,
  reads: () => [],
  rule(input) {
    const { action, before, content } = input
    if (numberOf(action.subject) === userNumber || (before && before.kind !== 'playlist')) {
      return reject('wrongSubject', 'this number is not free for a playlist')
    }
    const { prev: _, remove = [], add = [], ...fields } = content
    const body = { ...before?.body, ...fields }
    if (body.title === undefined) return reject('malformed', 'a new playlist needs a title')
    const removed = new Set<Subject>(remove)
    const tracks = ((before?.body.tracks ?? []) as Subject[]).filter((track) => !removed.has(track))
    const present = new Set(tracks)
    for (const { track, at } of add) {
      if (present.has(track)) continue
      present.add(track)
      tracks.splice(at ?? tracks.length, 0, track)
    }
    if (tracks.length > maximumPlaylistTracks) {
      return reject('listTooLong', `a playlist holds ${maximumPlaylistTracks} tracks`)
    }
    return { verdict: 'applied', changes: [changeSubject(input, 'playlist', { ...body, tracks })] }
  },
}
