import type { Address, Subject } from '@hexachord/protocol/names'
import { type Playlist, playlistSchema } from '@hexachord/protocol/rest'
import type { PlaylistRow } from '../projections/playlists.ts'
import { absence, type Database, lastOf, subjectParams } from './entity.ts'
import { route } from './route.ts'
import { readTracks } from './tracks.ts'

/** Begins a query of playlists, called `p`, with all that {@link playlistOf} needs. */
export const selectPlaylists = `
  SELECT p.id, p.author, p.title, p.description, p.album, p.unlisted, p.tracks,
    p.created_at_ms, p.updated_at_ms, p.block, p.log_index, p.digest`

/** A playlist without its tracks' own answers. */
export function playlistOf(row: PlaylistRow): Omit<Playlist, 'tracks'> {
  return {
    id: row.id as Subject,
    author: row.author as Address,
    title: row.title,
    description: row.description,
    album: row.album,
    unlisted: row.unlisted,
    trackIds: [...row.tracks] as Subject[],
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    last: lastOf(row),
  }
}

/** @throws Problem 404 or 410 */
export async function readPlaylist(database: Database, id: Subject): Promise<Playlist> {
  const { rows } = await database.query<PlaylistRow>(`${selectPlaylists} FROM playlist p WHERE p.id = $1`, [
    id,
  ])
  const [row] = rows
  if (row === undefined) throw await absence(database, id, 'playlist')
  return { ...playlistOf(row), tracks: await readTracks(database, row.tracks) }
}

export function playlistRoutes(database: Database) {
  return [
    route({
      path: '/v1/playlists/:id',
      summary: 'One playlist or album with its tracks; those that were deleted are left out',
      params: subjectParams,
      answers: {
        200: { description: 'The playlist', name: 'Playlist', schema: playlistSchema },
        404: { description: 'There is no such playlist' },
        410: { description: 'The playlist was deleted' },
      },
      async answer({ params }) {
        return { body: await readPlaylist(database, params.id), freshness: 'checked' }
      },
    }),
  ]
}
