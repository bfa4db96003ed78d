import { Problem } from '@hexachord/platform/http'
import type { Address, Subject } from '@hexachord/protocol/names'
import type { Track, User } from '@hexachord/protocol/rest'
import type { Database } from '../reading/entity.ts'
import { readPlaylist } from '../reading/playlists.ts'
import { isReleased } from '../reading/related-tracks.ts'
import { listTracks, readTrack } from '../reading/tracks.ts'
import { readUsers } from '../reading/users.ts'
import type { Source } from './links.ts'

/** Some tracks under one title, as the world outside hears of them. */
export type Collection = {
  readonly source: Source
  readonly kind: 'artist' | 'album' | 'playlist'
  readonly title: string
  /** Who made it. */
  readonly by: string
  readonly byId: Address
  readonly description: string | null
  readonly unlisted: boolean
  /** Listed ones that are out, only: an artist's newest first, others in their order. */
  readonly tracks: readonly Track[]
  readonly updatedAtMs: number
}

/** Newest tracks of an artist that are told of: as many as the longest playlist has, and more than artists make. */
export const artistTracks = 2_000

/** @param atMost newest tracks that are wanted
 * @throws Problem 404 */
export async function readArtist(
  database: Database,
  id: Address,
  nowMs: number,
  { atMost = artistTracks }: { atMost?: number } = {},
): Promise<Collection> {
  const [[user], { items: tracks }] = await Promise.all([
    readUsers(database, [id], nowMs),
    listTracks(database, { author: id, limit: atMost }, nowMs),
  ])
  if (user === undefined) {
    const detail = `${id} has neither a profile nor anything published`
    throw new Problem({ status: 404, slug: 'no-such-user', detail })
  }
  const title = nameOf(user)
  return {
    ...{ source: { kind: 'users', id }, kind: 'artist', title, by: title, byId: id, unlisted: false, tracks },
    description: user.bio,
    updatedAtMs: newest(tracks, user.updatedAtMs ?? 0),
  }
}

/** @throws Problem 404, also for a private playlist: nothing of it can be shown; 410 */
export async function readCollection(database: Database, id: Subject, nowMs: number): Promise<Collection> {
  const playlist = await readPlaylist(database, id, nowMs)
  const { author, title, description, unlisted, album } = playlist
  if (playlist.sealed !== null) {
    const detail = `the playlist ${id} is private: it is sealed to its author's keys`
    throw new Problem({ status: 404, slug: 'private-playlist', detail })
  }
  const tracks = playlist.tracks.filter((track) => !track.unlisted)
  return {
    ...{ source: { kind: 'playlists', id }, kind: album ? 'album' : 'playlist' },
    ...{ title, description, unlisted, tracks, byId: author },
    by: await readName(database, author, nowMs),
    updatedAtMs: newest(tracks, playlist.updatedAtMs),
  }
}

/** @returns a track, how its author is called, and whether it is out @throws Problem 404, 410 */
export async function readTrackAndAuthor(database: Database, id: Subject, nowMs: number) {
  const track = await readTrack(database, id)
  const { author, releaseAtMs } = track
  return {
    track,
    author: await readName(database, author, nowMs),
    released: releaseAtMs === null || (await isReleased(database, releaseAtMs, nowMs)),
  }
}

/** When a track came, or comes, into lists. */
export function listedAtMs({ createdAtMs, releaseAtMs }: Track): number {
  return Math.max(createdAtMs, releaseAtMs ?? 0)
}

async function readName(database: Database, id: Address, nowMs: number): Promise<string> {
  const [user] = await readUsers(database, [id], nowMs)
  return user === undefined ? id : nameOf(user)
}

function nameOf({ id, name, handle }: User): string {
  return name ?? (handle === null ? id : `@${handle}`)
}

function newest(tracks: readonly Track[], atMs: number): number {
  return tracks.reduce((latest, track) => Math.max(latest, track.updatedAtMs, listedAtMs(track)), atMs)
}
