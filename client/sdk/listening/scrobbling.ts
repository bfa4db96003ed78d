import type { Track } from '@hexachord/protocol/rest'
import * as z from 'zod'
import { type Http, patiently, readJson } from '../connect/index.ts'

/** A server that keeps what its users have listened to, by the protocol of ListenBrainz. */
export type ListenBrainz = {
  /** Before `/1/submit-listens`, such as `https://api.listenbrainz.org`. */
  readonly server: string
  readonly token: string
}

/** One play of a track by whoever holds this client. */
export type Listen = {
  /** When it began. */
  readonly listenedAtMs: number
  readonly track: Pick<Track, 'title' | 'artist' | 'album' | 'isrc' | 'durationMs'>
  /** A link that holds the track's id. */
  readonly originUrl: string
}

/** A play of a track as a listen, with no more of the track than is told. */
export function listenOf(
  { title, artist, album, isrc, durationMs }: Track,
  place: Omit<Listen, 'track'>,
): Listen {
  return { ...place, track: { title, artist, album, isrc, durationMs } }
}

/** Far below what ListenBrainz takes in one request. */
export const listensPerRequest = 50

const defaultPatienceMs = 5_000
const answerSchema = z.looseObject({ status: z.literal('ok') })

/** Tells a server of the listener's choice what was heard; tried again for a while where it is away.
 * @param listens 1 to {@link listensPerRequest}
 * @throws ApiError (401 for a token that opens nothing, 400 for listens that it will never take) */
export async function submitListens(
  { server, token }: ListenBrainz,
  listens: readonly Listen[],
  {
    http = globalThis.fetch,
    signal,
    patienceMs = defaultPatienceMs,
  }: { http?: Http; signal?: AbortSignal; patienceMs?: number } = {},
): Promise<void> {
  const body = JSON.stringify({
    listen_type: listens.length === 1 ? 'single' : 'import',
    payload: listens.map(payloadOf),
  })
  const init = {
    method: 'POST',
    headers: { authorization: `Token ${token}`, 'content-type': 'application/json' },
    body,
    ...(signal ? { signal } : {}),
  }
  await patiently(() => readJson(http, `${server}/1/submit-listens`, answerSchema, init), {
    signal,
    patienceMs: () => patienceMs,
  })
}

function payloadOf({ listenedAtMs, track, originUrl }: Listen) {
  return {
    listened_at: Math.floor(listenedAtMs / 1000),
    track_metadata: {
      artist_name: track.artist,
      track_name: track.title,
      ...(track.album === null ? {} : { release_name: track.album }),
      additional_info: {
        duration_ms: track.durationMs,
        origin_url: originUrl,
        submission_client: 'hexachord',
        ...(track.isrc === null ? {} : { isrc: track.isrc }),
      },
    },
  }
}
