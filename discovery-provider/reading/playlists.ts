import { prepared } from '@hexachord/platform/postgres'
import type { Address, Subject } from '@hexachord/protocol/names'
import {
  type List,
  listOf,
  type Playlist,
  type PlaylistSummary,
  playlistSchema,
  playlistSummarySchema,
} from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { PlaylistRow } from '../projections/playlists.ts'
import { type PageQuery, pageOf, pageQuery, placeBefore } from './cursor.ts'
import { absence, addressText, type Database, lastOf, playlistParams } from './entity.ts'
import { releasedOf } from './related-tracks.ts'
import { route } from './route.ts'
import { type Tallies, talliesOf } from './tallies.ts'
import { readTracks } from './tracks.ts'

/** Begins a query of playlists, called `p`, with all that {@link playlistOf} needs. */
export const selectPlaylists = `
  SELECT p.id, p.author, p.title, p.description, p.album, p.unlisted, p.tracks, p.cover, p.sealed,
    ${talliesOf('p.id')} AS tallies,
    p.created_at_ms, p.updated_at_ms, p.block, p.log_index, p.digest`

/** As {@link selectPlaylists} gives them. */
export type ReadPlaylistRow = PlaylistRow & { readonly tallies: Tallies }

/** A playlist without its tracks' own answers. */
export function playlistOf(row: ReadPlaylistRow): PlaylistSummary {
  return {
    id: row.id as Subject,
    author: row.author as Address,
    title: row.title,
    description: row.description,
    album: row.album,
    unlisted: row.unlisted,
    trackIds: [...row.tracks] as Subject[],
    cover: row.cover,
    sealed: row.sealed,
    saveCount: row.tallies.saves ?? 0,
    repostCount: row.tallies.reposts ?? 0,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    last: lastOf(row),
  }
}

/** Playlists by id, in the order asked for, without their tracks' own answers; ids of none are left out. */
export async function readPlaylists(database: Database, ids: readonly string[]): Promise<PlaylistSummary[]> {
  if (ids.length === 0) return []
  const { rows } = await database.query<ReadPlaylistRow>(playlistsStatement, [ids])
  return rows.map(playlistOf)
}

export const playlistsStatement = prepared(
  'playlists',
  `${selectPlaylists} FROM unnest((SELECT $1::text[])) WITH ORDINALITY AS asked (id, place)
   JOIN playlist p ON p.id = asked.id ORDER BY asked.place`,
)

/** With its tracks that are out, in its order: of unlisted ones those that are its author's own, who chose to show them.
 * @throws Problem 404 or 410 */
export async function readPlaylist(database: Database, id: Subject, nowMs: number): Promise<Playlist> {
  const { rows } = await database.query<ReadPlaylistRow>(
    `${selectPlaylists} FROM playlist p WHERE p.id = $1`,
    [id],
  )
  const [row] = rows
  if (row === undefined) throw await absence(database, id, 'playlist')
  const known = await readTracks(database, row.tracks)
  const shown = known.filter(({ unlisted, author }) => !unlisted || author === row.author)
  return { ...playlistOf(row), tracks: await releasedOf(database, shown, nowMs) }
}

const listQuery = pageQuery.extend({
  /** Albums alone, or what is none. */
  album: z
    .enum(['true', 'false'])
    .transform((given) => given === 'true')
    .optional(),
})

type Listed = { readonly author: Address; readonly album?: boolean | undefined }

/** Listed playlists and albums of an author, newest first. */
export async function listPlaylists(
  database: Database,
  { limit, cursor, ...asked }: PageQuery & Listed,
): Promise<List<PlaylistSummary>> {
  const { text, values } = playlistsOfAuthorQuery({
    ...asked,
    before: placeBefore(cursor),
    rows: limit + 1,
  })
  const { rows } = await database.query<ReadPlaylistRow>(text, values)
  return pageOf(rows, limit, playlistOf, (row) => [row.created_at_ms, row.id])
}

/** The statement of {@link listPlaylists}; its plan is held to its index by a test. */
export function playlistsOfAuthorQuery({
  author,
  album,
  before,
  rows,
}: Listed & { before: readonly [number, string]; rows: number }): { text: string; values: unknown[] } {
  const values: unknown[] = [author, ...before, rows]
  const ofKind = album === undefined ? '' : `AND p.album = $${values.push(album)}`
  return {
    text: `${selectPlaylists} FROM playlist p
      WHERE p.author = $1 AND NOT p.unlisted ${ofKind} AND (p.created_at_ms, p.id) < ($2, $3)
      ORDER BY p.created_at_ms DESC, p.id DESC LIMIT $4`,
    values,
  }
}

export function playlistRoutes(database: Database, now: () => number) {
  return [
    route({
      path: '/v1/playlists/:id',
      summary:
        'One playlist or album with its tracks that are out and listed, or unlisted but of the same author; `trackIds` names all',
      params: playlistParams,
      answers: {
        200: { description: 'The playlist', name: 'Playlist', schema: playlistSchema },
        404: { description: 'There is no such playlist' },
        410: { description: 'The playlist was deleted' },
      },
      async answer({ params }) {
        return { body: await readPlaylist(database, params.id, now()), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/users/:id/playlists',
      summary:
        'Listed playlists and albums of a user, newest first; album=true for albums alone, false for the others',
      params: z.strictObject({ id: addressText }),
      query: listQuery,
      answers: {
        200: {
          description: 'One page of playlists, without their tracks',
          name: 'PlaylistList',
          schema: listOf(playlistSummarySchema),
        },
      },
      async answer({ params, query }) {
        return { body: await listPlaylists(database, { ...query, author: params.id }), freshness: 'checked' }
      },
    }),
  ]
}
