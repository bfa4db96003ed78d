import * as z from 'zod'
import { type Route, route } from '../reading/route.ts'
import { audioAnswers, audioPath, downloadPath, placeAtHolder } from '../reading/stream.ts'
import { readTrack, readTracks } from '../reading/tracks.ts'
import { findTracks, trendingTracks } from './lists.ts'
import { trackIds, trackParams } from './opaque-ids.ts'
import { appQuery, listQuery } from './paging.ts'
import type { PioneerParts } from './parts.ts'
import { subjectOfPermalink } from './permalinks.ts'
import { dataOf, pioneerTrackSchema } from './shapes.ts'
import { filterOf, optionalText, trackFilters, wordsQuery } from './track-filters.ts'

/** More than any app asks for at once. */
const maximumPermalinks = 100

const permalinks = z
  .union([z.string().max(500), z.array(z.string().max(500)).max(maximumPermalinks)])
  .transform((given) => [given].flat())

const tracks = {
  200: {
    description: 'The tracks',
    name: 'PioneerTrackList',
    schema: dataOf(z.array(pioneerTrackSchema)),
  },
}

/** Where the audio is as an answer, for scripts that cannot see where a redirect leads. */
const audioUrl = {
  description: 'With no_redirect: where it is',
  name: 'PioneerAudioUrl',
  schema: dataOf(z.url()),
}

export function trackRoutes({
  postgres: database,
  readTyped,
  liveHolders,
  entities,
  now,
}: PioneerParts): Route[] {
  const holders = { database, liveHolders, now }
  return [
    route({
      path: '/pioneer/v1/tracks',
      summary: 'Tracks by id (id=a&id=b, or id=a,b) or permalink (permalink=a&permalink=b)',
      query: appQuery.extend({
        id: trackIds.optional(),
        permalink: permalinks.optional(),
      }),
      answers: tracks,
      async answer({ query: { id = [], permalink = [] } }) {
        const linked = permalink.flatMap((text) => subjectOfPermalink(text) ?? [])
        const found = await readTracks(database, [...id, ...linked])
        return { body: { data: await entities.tracks(found) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/tracks/search',
      summary: 'Tracks by words, narrowed by genre, mood, key and bpm_min to bpm_max',
      query: listQuery.extend({
        query: wordsQuery(200).meta({ examples: ['ut queant'] }),
        ...trackFilters,
      }),
      answers: tracks,
      async answer({ query }) {
        const found = await findTracks({ database, readTyped }, query, filterOf(query))
        return { body: { data: await entities.tracks(found) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/tracks/trending',
      summary: 'What to listen to now, of one genre or all',
      query: listQuery.extend({
        genre: optionalText,
        time: z.enum(['week', 'month', 'year', 'allTime']).default('week'),
      }),
      answers: tracks,
      async answer({ query }) {
        const found = await trendingTracks(database, query, now())
        return { body: { data: await entities.tracks(found) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/tracks/:id',
      summary: 'One track',
      params: trackParams,
      query: appQuery,
      answers: {
        200: { description: 'The track', name: 'PioneerTrack', schema: dataOf(pioneerTrackSchema) },
        404: { description: 'There is no such track' },
        410: { description: 'The track was deleted, or is taken down here' },
      },
      async answer({ params: { id } }) {
        const [data] = await entities.tracks([await readTrack(database, id)])
        return { body: { data }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/tracks/:id/stream',
      summary: 'To the audio of the track as one file, which takes Range',
      params: trackParams,
      query: appQuery.extend({ no_redirect: z.enum(['true', 'false']).default('false') }),
      answers: { ...audioAnswers, 200: audioUrl },
      async answer({ params: { id }, query: { no_redirect } }) {
        const place = await placeAtHolder(holders, id, ({ manifest }) => audioPath(manifest), 'file')
        if (no_redirect === 'false') return place
        return { body: { data: place.location }, freshness: 'never' }
      },
    }),
    route({
      path: '/pioneer/v1/tracks/:id/download',
      summary: 'To the track as a file to be saved',
      params: trackParams,
      query: appQuery,
      answers: audioAnswers,
      answer: ({ params: { id } }) => placeAtHolder(holders, id, (track) => downloadPath(track), 'file'),
    }),
  ]
}
