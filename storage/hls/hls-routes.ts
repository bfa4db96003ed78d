import { Problem } from '@hexachord/platform/http'
import { type LoadedTrack, renditionName } from '@hexachord/protocol/manifests'
import { masterPlaylist, mediaPlaylist, playlistMediaType } from '@hexachord/protocol/playlists'
import { type Request, type Response, Router } from 'express'
import { takeSession } from '../gateway/index.ts'
import type { IpfsNode } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'
import { createServedTracks } from '../tracks/index.ts'

/** Who holds a track changes with the chain and with outages: a player that comes back finds who holds it then. */
const masterMaxAgeSeconds = 60
/** 48 weeks, as for blocks: a manifest's renditions never change. */
const mediaMaxAgeSeconds = 29_030_400
/** Further holders in a master playlist; players try one after the other. */
const holdersListed = 5

/** Where the keys of a premium track's rendition are, by segment; undefined where this node cannot give them. */
export type KeysOf = (track: LoadedTrack, rendition: number) => ((segment: number) => string) | undefined

/**
 * `/hls/:manifest/master.m3u8` and `/hls/:manifest/:rendition.m3u8`, written from the manifest when asked for. The
 * master lists each rendition on this node first and then once per other holder. Needs only the manifest and its
 * renditions to be here; segments are fetched from `/ipfs` beside it. The session of a request, `?s=`, is handed on to what
 * this node serves.
 * @param options.publicUrl origin of this node, left out of the holders
 * @param options.holdersOf origins of nodes that hold a manifest, best first
 * @param options.takedowns what this operator refuses; by default nothing
 */
export function hlsRoutes(options: {
  ipfs: Pick<IpfsNode, 'get'>
  publicUrl: string
  holdersOf: (manifest: string) => readonly string[] | Promise<readonly string[]>
  takedowns?: Pick<Takedowns, 'requireServed'>
  keysOf?: KeysOf | undefined
}): Router {
  const { ipfs, publicUrl, holdersOf, takedowns } = options
  const trackOf = createServedTracks({ ipfs, takedowns })
  const router = Router()
  router.get('/hls/:manifest/master.m3u8', async (request, response) => {
    const { manifest } = request.params
    const track = await trackOf(manifest)
    const session = sessionOf(request)
    const others = (await holdersOf(manifest))
      .filter((origin) => origin !== publicUrl)
      .slice(0, holdersListed)
    const playlist = masterPlaylist(track, {
      renditionUris: (_index, name) => [
        // Relative, so that it also holds for a player that came through a proxy.
        `${name}.m3u8${session === undefined ? '' : `?s=${session}`}`,
        ...others.map((origin) => new URL(`/hls/${manifest}/${name}.m3u8`, origin).href),
      ],
    })
    send(response, playlist, `${scopeOf(session)}, max-age=${masterMaxAgeSeconds}`)
  })
  router.get('/hls/:manifest/:rendition.m3u8', async (request, response) => {
    const { manifest, rendition } = request.params
    const track = await trackOf(manifest)
    const index = track.renditions.findIndex((_, place) => renditionName(track, place) === rendition)
    if (index < 0) {
      const names = track.renditions.map((_, place) => renditionName(track, place)).join(', ')
      throw new Problem({
        status: 404,
        slug: 'unknown-rendition',
        detail: `the track has no rendition ${rendition}; it has ${names}`,
      })
    }
    const session = sessionOf(request)
    const paying = session === undefined ? '' : `&s=${session}`
    const uri = (cid: string, filename: string) => `../../ipfs/${cid}?filename=${filename}${paying}`
    send(
      response,
      mediaPlaylist(track, index, { segmentUri: uri, initUri: uri, ...keysIn(track, index, session) }),
      `${scopeOf(session)}, max-age=${mediaMaxAgeSeconds}, immutable`,
    )
  })
  /** @throws Problem 403 */
  function keysIn(track: LoadedTrack, index: number, session: string | undefined) {
    const { keyHolders } = track.manifest
    if (keyHolders === undefined) return {}
    const keyUri = options.keysOf?.(track, index)
    if (keyUri === undefined) {
      throw new Problem({
        status: 403,
        slug: 'premium',
        detail: `the track is encrypted, and this node has no keys of it; these operators have: ${keyHolders.join(', ')}`,
        members: { keyHolders },
      })
    }
    const paying = session === undefined ? '' : `?s=${session}`
    return { keyUri: (segment: number) => keyUri(segment) + paying }
  }

  return router
}

/** Written into a playlist, so it has to be what it can be. @throws Problem 400 */
function sessionOf(request: Request): string | undefined {
  const { session } = takeSession(request.originalUrl)
  if (session === undefined || /^[\w-]{1,100}$/.test(session)) return session
  throw new Problem({
    status: 400,
    slug: 'malformed-session',
    detail: 's is a session as POST /pay/sessions gave it',
  })
}

/** A playlist with somebody's session is nobody else's. */
function scopeOf(session: string | undefined): string {
  return session === undefined ? 'public' : 'private'
}

function send(response: Response, playlist: string, cacheControl: string): void {
  // As bytes: to text, Express would add a charset, which this media type does not have (RFC 8216 10).
  response
    .set({ 'Content-Type': playlistMediaType, 'Cache-Control': cacheControl })
    .send(Buffer.from(playlist))
}
