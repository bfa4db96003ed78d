import { Problem } from '@hexachord/platform/http'
import type { Subject } from '@hexachord/protocol/names'
import type { PlaylistSummary } from '@hexachord/protocol/rest'
import * as z from 'zod'
import { absence, type Database } from '../reading/entity.ts'
import { readPlaylists } from '../reading/playlists.ts'
import { type Route, route } from '../reading/route.ts'
import { readCollection } from '../syndication/index.ts'
import { findPlaylists, trendingPlaylists } from './lists.ts'
import { playlistIds, playlistParams } from './opaque-ids.ts'
import { appQuery, listQuery } from './paging.ts'
import type { PioneerParts } from './parts.ts'
import { dataOf, pioneerPlaylistSchema, pioneerTrackSchema } from './shapes.ts'
import { wordsQuery } from './track-filters.ts'

const playlists = {
  200: {
    description: 'The playlists',
    name: 'PioneerPlaylistList',
    schema: dataOf(z.array(pioneerPlaylistSchema)),
  },
}
const absent = {
  404: { description: 'There is no such public playlist' },
  410: { description: 'The playlist was deleted' },
}

export function playlistRoutes({ postgres: database, readTyped, entities, now }: PioneerParts): Route[] {
  return [
    route({
      path: '/pioneer/v1/playlists',
      summary: 'Playlists by id (id=a&id=b, or id=a,b); private ones are left out',
      query: appQuery.extend({ id: playlistIds }),
      answers: playlists,
      async answer({ query: { id } }) {
        const found = (await readPlaylists(database, id)).filter(({ sealed }) => sealed === null)
        return { body: { data: await entities.playlists(found) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/playlists/search',
      summary: 'Playlists and albums by words',
      query: listQuery.extend({ query: wordsQuery(200).meta({ examples: ['hymns'] }) }),
      answers: playlists,
      async answer({ query }) {
        const found = await findPlaylists({ database, readTyped }, query)
        return { body: { data: await entities.playlists(found) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/playlists/trending',
      summary: 'Playlists to listen to now',
      query: listQuery,
      answers: playlists,
      async answer({ query }) {
        const found = await trendingPlaylists(database, query)
        return { body: { data: await entities.playlists(found) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/playlists/:id',
      summary: 'One playlist, as a list of one',
      params: playlistParams,
      query: appQuery,
      answers: { ...playlists, ...absent },
      async answer({ params: { id } }) {
        const found = await readPublicPlaylist(database, id)
        return { body: { data: await entities.playlists([found]) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/playlists/:id/tracks',
      summary: 'The tracks of a playlist in its order, of those that are listed and out',
      params: playlistParams,
      query: appQuery,
      answers: {
        200: {
          description: 'The tracks',
          name: 'PioneerTracksOfPlaylist',
          schema: dataOf(z.array(pioneerTrackSchema)),
        },
        ...absent,
      },
      async answer({ params: { id } }) {
        const { tracks } = await readCollection(database, id, now())
        return { body: { data: await entities.tracks(tracks) }, freshness: 'checked' }
      },
    }),
  ]
}

/** @throws Problem 404, also for a private one; 410 */
async function readPublicPlaylist(database: Database, id: Subject): Promise<PlaylistSummary> {
  const [playlist] = await readPlaylists(database, [id])
  if (playlist === undefined) throw await absence(database, id, 'playlist')
  if (playlist.sealed === null) return playlist
  const detail = `the playlist ${id} is private: it is sealed to its author's keys`
  throw new Problem({ status: 404, slug: 'private-playlist', detail })
}
