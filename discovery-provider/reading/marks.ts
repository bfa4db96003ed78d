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
import { releasedOf } from './related-tracks.ts'
import { route } from './route.ts'
import { readTracks } from './tracks.ts'

export type TrackOrPlaylist =
  | { readonly track: Track; readonly playlist: null }
  | { readonly track: null; readonly playlist: PlaylistSummary }

/** Tracks and playlists by id; ids of neither, such as of what was deleted, are left out, and tracks that are not out. */
export async function readTracksAndPlaylists(
  database: Database,
  ids: readonly string[],
  nowMs: number,
): Promise<ReadonlyMap<string, TrackOrPlaylist>> {
  const unique = [...new Set(ids)]
  const tracks = await releasedOf(database, await readTracks(database, unique), nowMs)
  const playlists = await readPlaylists(database, unique)
  return new Map<string, TrackOrPlaylist>([
    ...tracks.map((track) => [track.id, { track, playlist: null }] as const),
    ...playlists.map((playlist) => [playlist.id, { track: null, playlist }] as const),
  ])
}

/** What a user has saved or reposted, newest first. What is gone, or not out, leaves its page shorter; as in feeds, what is
 * unlisted is not reposted, but it can be saved: that is how a listener finds it again. */
export async function listMarks(
  database: Database,
  table: 'save' | 'repost',
  { id, limit, cursor }: PageQuery & { id: Address },
  nowMs: number,
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
    nowMs,
  )
  return {
    items: items.flatMap(({ target, since_ms: sinceMs }) => {
      const found = targets.get(target)
      const isShown = table === 'save' || !(found?.track ?? found?.playlist)?.unlisted
      return found !== undefined && isShown ? [{ sinceMs, ...found }] : []
    }),
    next,
  }
}

const answers = {
  200: { description: 'One page of tracks and playlists', name: 'MarkList', schema: listOf(markSchema) },
}

export function markRoutes(database: Database, now: () => number) {
  return (['save', 'repost'] as const).map((table) =>
    route({
      path: `/v1/users/:id/${table}s`,
      summary: `Tracks and playlists that a user has ${table === 'save' ? 'saved' : 'reposted'}, newest first`,
      params: userParams,
      query: pageQuery,
      answers,
      async answer({ params, query }) {
        const body = await listMarks(database, table, { ...params, ...query }, now())
        return { body, freshness: 'checked' }
      },
    }),
  )
}
