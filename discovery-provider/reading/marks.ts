import type { Address } from '@hexachord/protocol/names'
import {
  type List,
  listOf,
  type Mark,
  markSchema,
  type PlaylistSummary,
  type Track,
} from '@hexachord/protocol/rest'
import type { EdgeRow } from '../projections/edges.ts'
import { type PageQuery, pageOf, pageQuery, placeBefore } from './cursor.ts'
import type { Database } from './entity.ts'
import { edgesQuery, userParams } from './follows.ts'
import { readPlaylists } from './playlists.ts'
import { route } from './route.ts'
import { readTracks } from './tracks.ts'

export type TrackOrPlaylist =
  | { readonly track: Track; readonly playlist: null }
  | { readonly track: null; readonly playlist: PlaylistSummary }

/** Tracks and playlists by id; ids of neither, such as of what was deleted, are left out. */
export async function readTracksAndPlaylists(
  database: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, TrackOrPlaylist>> {
  const unique = [...new Set(ids)]
  const tracks = await readTracks(database, unique)
  const playlists = await readPlaylists(database, unique)
  return new Map<string, TrackOrPlaylist>([
    ...tracks.map((track) => [track.id, { track, playlist: null }] as const),
    ...playlists.map((playlist) => [playlist.id, { track: null, playlist }] as const),
  ])
}

/** What a user has saved or reposted, newest first. What is gone leaves its page shorter. */
export async function listMarks(
  database: Database,
  table: 'save' | 'repost',
  { id, limit, cursor }: PageQuery & { id: Address },
): Promise<List<Mark>> {
  const { text, values } = edgesQuery(table, 'author', id, placeBefore(cursor), limit + 1)
  const { rows } = await database.query<EdgeRow>(text, values)
  const { items, next } = pageOf(
    rows,
    limit,
    (row) => row,
    (row) => [row.since_ms, row.id],
  )
  const targets = await readTracksAndPlaylists(
    database,
    items.map(({ target }) => target),
  )
  return {
    items: items.flatMap(({ target, since_ms: sinceMs }) => {
      const found = targets.get(target)
      return found === undefined ? [] : [{ sinceMs, ...found }]
    }),
    next,
  }
}

const answers = {
  200: { description: 'One page of tracks and playlists', name: 'MarkList', schema: listOf(markSchema) },
}

export function markRoutes(database: Database) {
  return (['save', 'repost'] as const).map((table) =>
    route({
      path: `/v1/users/:id/${table}s`,
      summary: `Tracks and playlists that a user has ${table === 'save' ? 'saved' : 'reposted'}, newest first`,
      params: userParams,
      query: pageQuery,
      answers,
      async answer({ params, query }) {
        return { body: await listMarks(database, table, { ...params, ...query }), freshness: 'checked' }
      },
    }),
  )
}
