import { Problem } from '@hexachord/platform/http'
import type { Subject } from '@hexachord/protocol/names'
import type { Holder, Track } from '@hexachord/protocol/rest'
import * as z from 'zod'
import { requireOpen } from './closed-audio.ts'
import { type Database, subjectParams } from './entity.ts'
import { fileNameOf } from './file-name.ts'
import { gatewayOf, type LiveHolders } from './live-holders.ts'
import { isReleased } from './related-tracks.ts'
import { type Answer, route } from './route.ts'
import { readPricedTrack } from './tracks.ts'

/** Seconds after which a node that was restarted may be back. */
const retryAfterSeconds = 5

/** As a media playlist is called: `aac-160`, `flac`. */
const renditionName = z.string().regex(/^[a-z0-9-]{1,40}$/, 'must be a name such as aac-160 or flac')

const streamQuery = z.strictObject({
  /** `hls` for a playlist, `file` for one MP4 with Range, for programs that cannot play HLS. */
  format: z.enum(['hls', 'file']).default('hls'),
  /** One of the renditions, in place of all of them in a playlist, and of the best AAC in a file. */
  rendition: renditionName.optional(),
})

const fileQuery = streamQuery.pick({ rendition: true })

const downloadQuery = z.strictObject({
  /** `original` is the file that the artist sent, where it is part of the track. */
  rendition: renditionName.optional(),
})

/** Of a route that leads to the audio of a track. */
export const audioAnswers = {
  302: {
    description:
      'It is there: at a node that holds the track and answers now. `Link` names further nodes (RFC 6249), ' +
      'which give the same bytes under the same ETag',
  },
  402: {
    description: 'It costs something; `playlists` says where it plays once a session there pays for it',
  },
  403: { description: 'The track is to be released later, or it is encrypted (`premium`), and is no file' },
  404: { description: 'There is no such track' },
  410: { description: 'The track was deleted, or is taken down here' },
  503: { description: 'No node that holds the track answers at this moment' },
} as const

/** Where a track is at this moment: at a node that holds it and answers, and at which others.
 * @param pathOf where a node has it, from its origin
 * @param form what is asked for
 * @throws Problem 403 before its release, 402 and 403 as `requireOpen`, 404, 410, 503 when no node that holds it answers */
export async function placeAtHolder(
  { database, liveHolders, now }: { database: Database; liveHolders: LiveHolders; now: () => number },
  id: Subject,
  pathOf: (track: Track) => string,
  form: 'file' | 'playlist',
): Promise<Extract<Answer, { location: string }>> {
  const track = await readPricedTrack(database, id, now())
  await requireReleased(database, track, now())
  await requireOpen({ database, liveHolders }, track, form)
  const { manifest, holders } = track
  const holder = await liveHolders.find(manifest, holders)
  if (holder === undefined) throw noLiveHolder(id, holders)
  const path = pathOf(track)
  const others = liveHolders.notAway(manifest, holders).filter((other) => other !== holder)
  return {
    location: gatewayOf(holder.endpoint) + path,
    duplicates: others.map(({ endpoint }) => gatewayOf(endpoint) + path),
  }
}

/** The track as a file to be saved, named for its artist and title. */
export function downloadPath(track: Track, rendition?: string): string {
  if (rendition === 'original') return `/originals/${track.manifest}`
  return audioPath(track.manifest, { rendition, download: 'true', filename: `${fileNameOf(track)}.m4a` })
}

export function streamRoutes(database: Database, liveHolders: LiveHolders, now: () => number) {
  const atHolder = (
    id: Subject,
    pathOf: (track: Track) => string,
    form: 'file' | 'playlist' = 'file',
  ): Promise<Answer> => placeAtHolder({ database, liveHolders, now }, id, pathOf, form)

  return [
    route({
      path: '/v1/tracks/:id/stream',
      summary: 'To the audio of the track: its HLS playlist, or one file',
      params: subjectParams,
      query: streamQuery,
      answers: audioAnswers,
      answer: ({ params: { id }, query: { format, rendition } }) =>
        format === 'file'
          ? atHolder(id, ({ manifest }) => audioPath(manifest, { rendition }))
          : atHolder(id, ({ manifest }) => `/hls/${manifest}/${rendition ?? 'master'}.m3u8`, 'playlist'),
    }),
    route({
      path: '/v1/tracks/:id/audio.m4a',
      summary: 'The same as one file, under a name by whose ending programs tell what it is',
      params: subjectParams,
      query: fileQuery,
      answers: audioAnswers,
      answer: ({ params: { id }, query: { rendition } }) =>
        atHolder(id, ({ manifest }) => audioPath(manifest, { rendition })),
    }),
    route({
      path: '/v1/tracks/:id/download',
      summary: 'To the track as a file to be saved, named for its artist and title',
      params: subjectParams,
      query: downloadQuery,
      answers: audioAnswers,
      answer: ({ params: { id }, query: { rendition } }) =>
        atHolder(id, (track) => downloadPath(track, rendition)),
    }),
  ]
}

/** A rendition as one file. */
export function audioPath(
  manifest: string,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  const search = new URLSearchParams(given)
  return `/audio/${manifest}${search.size === 0 ? '' : `?${search}`}`
}

/** @throws Problem 403 where the artist has set a later time */
export async function requireReleased(
  database: Database,
  { id, releaseAtMs }: Pick<Track, 'id' | 'releaseAtMs'>,
  nowMs: number,
): Promise<void> {
  if (releaseAtMs === null || (await isReleased(database, releaseAtMs, nowMs))) return
  throw new Problem({
    status: 403,
    slug: 'not-released',
    detail: `${id} is to be released on ${new Date(releaseAtMs).toISOString()}`,
    members: { releaseAtMs },
  })
}

function noLiveHolder(id: Subject, holders: readonly Holder[]): Problem {
  return new Problem({
    status: 503,
    slug: 'no-live-holder',
    detail: `none of the ${holders.length} nodes that hold ${id} answers at this moment; try again in a few seconds`,
    headers: { 'Retry-After': String(retryAfterSeconds) },
  })
}
