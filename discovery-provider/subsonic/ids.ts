import { type Address, isSubject, type Subject } from '@hexachord/protocol/names'
import { SubsonicError } from './errors.ts'

/** Names of things as players see them: a prefix for the kind, and our own name. */

/** The one folder, which holds all artists. */
export const folderId = 1

export const songId = (track: string) => `tr-${track}`
export const artistId = (author: string) => `ar-${author}`
export const playlistId = (playlist: string) => `pl-${playlist}`

/** The track of a song's id. @throws SubsonicError 70 */
export function trackOf(id: string): Subject {
  const track = id.slice(3)
  if (!id.startsWith('tr-') || !isSubject(track)) throw notFound('song', id)
  return track
}

/** @throws SubsonicError 70 */
export function authorOf(id: string): Address {
  if (!/^ar-0x[0-9a-f]{40}$/.test(id)) throw notFound('artist', id)
  return id.slice(3) as Address
}

/** @throws SubsonicError 70 */
export function playlistOf(id: string): Subject {
  const playlist = id.slice(3)
  if (!id.startsWith('pl-') || !isSubject(playlist)) throw notFound('playlist', id)
  return playlist
}

/** What is on the shelf under an album's id: a playlist, or an author's tracks that are in no album.
 * @throws SubsonicError 70 */
export function albumOf(id: string): { playlist: Subject } | { singlesOf: Address } {
  const name = id.slice(3)
  if (id.startsWith('al-')) {
    if (isSubject(name)) return { playlist: name }
    if (/^0x[0-9a-f]{40}$/.test(name)) return { singlesOf: name as Address }
  }
  throw notFound('album', id)
}

export function notFound(kind: string, id: string): SubsonicError {
  return new SubsonicError('notFound', `there is no ${kind} '${id.slice(0, 80)}'`)
}
