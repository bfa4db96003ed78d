import { Problem } from '@hexachord/platform/http'
import { CidError, isCid } from '@hexachord/protocol/cids'
import { type LoadedTrack, ManifestError, renditionName } from '@hexachord/protocol/manifests'
import { masterPlaylist, mediaPlaylist, playlistMediaType } from '@hexachord/protocol/playlists'
import { type Response, Router } from 'express'
import { LRUCache } from 'lru-cache'
import type { IpfsNode } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'
import { IncompleteTrack, loadLocalTrack } from '../tracks/index.ts'

/** Who holds a track changes with the chain and with outages: a player that comes back finds who holds it then. */
const masterMaxAgeSeconds = 60
/** 48 weeks, as for blocks: a manifest's renditions never change. */
const mediaMaxAgeSeconds = 29_030_400
/** Loaded tracks kept, by the bytes of their manifest and renditions; as objects they take some times more. */
const cacheBytes = 16 * 1024 * 1024
/** Further holders in a master playlist; players try one after the other. */
const holdersListed = 5

/**
 * `/hls/:manifest/master.m3u8` and `/hls/:manifest/:rendition.m3u8`, written from the manifest when asked for. The
 * master lists each rendition on this node first and then once per other holder. Needs only the manifest and its
 * renditions to be here; segments are fetched from `/ipfs` beside it.
 * @param options.publicUrl origin of this node, left out of the holders
 * @param options.holdersOf origins of nodes that hold a manifest, best first
 * @param options.takedowns what this operator refuses; by default nothing
 */
export function hlsRoutes(options: {
  ipfs: Pick<IpfsNode, 'get'>
  publicUrl: string
  holdersOf: (manifest: string) => readonly string[] | Promise<readonly string[]>
  takedowns?: Pick<Takedowns, 'requireServed'>
}): Router {
  const { ipfs, publicUrl, holdersOf, takedowns } = options
  const tracks = new LRUCache<string, LoadedTrack>({
    maxSize: cacheBytes,
    sizeCalculation: (track) =>
      track.renditions.reduce((sum, { byteLength }) => sum + byteLength, track.byteLength),
  })

  async function trackOf(manifest: string): Promise<LoadedTrack> {
    if (!isCid(manifest)) {
      throw new Problem({
        status: 400,
        slug: 'malformed-cid',
        detail: `${manifest} is not a CID of this network`,
      })
    }
    takedowns?.requireServed(manifest)
    const kept = tracks.get(manifest)
    if (kept !== undefined) return kept
    try {
      const track = await loadLocalTrack(ipfs, manifest)
      tracks.set(manifest, track)
      return track
    } catch (cause) {
      throw problemOf(manifest, cause)
    }
  }

  const router = Router()
  router.get('/hls/:manifest/master.m3u8', async (request, response) => {
    const { manifest } = request.params
    const track = await trackOf(manifest)
    const others = (await holdersOf(manifest))
      .filter((origin) => origin !== publicUrl)
      .slice(0, holdersListed)
    const playlist = masterPlaylist(track, {
      renditionUris: (_index, name) => [
        // Relative, so that it also holds for a player that came through a proxy.
        `${name}.m3u8`,
        ...others.map((origin) => new URL(`/hls/${manifest}/${name}.m3u8`, origin).href),
      ],
    })
    send(response, playlist, `public, max-age=${masterMaxAgeSeconds}`)
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
    const uri = (cid: string, filename: string) => `../../ipfs/${cid}?filename=${filename}`
    send(
      response,
      mediaPlaylist(track, index, { segmentUri: uri, initUri: uri }),
      `public, max-age=${mediaMaxAgeSeconds}, immutable`,
    )
  })
  return router
}

function send(response: Response, playlist: string, cacheControl: string): void {
  // As bytes: to text, Express would add a charset, which this media type does not have (RFC 8216 10).
  response
    .set({ 'Content-Type': playlistMediaType, 'Cache-Control': cacheControl })
    .send(Buffer.from(playlist))
}

function problemOf(manifest: string, cause: unknown): unknown {
  if (cause instanceof IncompleteTrack) {
    const detail = `this node does not hold ${cause.cid === manifest ? manifest : `all of ${manifest}`}`
    return new Problem({ status: 404, slug: 'not-held-here', detail, cause })
  }
  if (cause instanceof ManifestError || cause instanceof CidError) {
    const detail = `${manifest} is not the manifest of a track: ${cause.message}`
    return new Problem({ status: 400, slug: 'not-a-track', detail, cause })
  }
  return cause
}
