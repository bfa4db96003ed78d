import { Problem } from '@hexachord/platform/http'
import { CidError, isCid } from '@hexachord/protocol/cids'
import { type LoadedTrack, ManifestError } from '@hexachord/protocol/manifests'
import { LRUCache } from 'lru-cache'
import { blocksAway } from '../gateway/blocks-away.ts'
import { type IpfsNode, KuboUnavailable } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'
import { IncompleteTrack, loadLocalTrack } from './inspect-track.ts'

/** Loaded tracks kept, by the bytes of their manifest and renditions; as objects they take some times more. */
const cacheBytes = 8 * 1024 * 1024

/**
 * Gives the manifests, with their renditions, that this node holds and serves, for routes that are named by them.
 * @param options.takedowns what this operator refuses; by default nothing
 * @returns a function that throws Problem 400, 404, 410 or 503
 */
export function createServedTracks({
  ipfs,
  takedowns,
}: {
  ipfs: Pick<IpfsNode, 'get'>
  takedowns?: Pick<Takedowns, 'requireServed'> | undefined
}): (manifest: string) => Promise<LoadedTrack> {
  const tracks = new LRUCache<string, LoadedTrack>({
    maxSize: cacheBytes,
    sizeCalculation: (track) =>
      track.renditions.reduce((sum, { byteLength }) => sum + byteLength, track.byteLength),
  })
  return async (manifest) => {
    if (!isCid(manifest)) {
      throw new Problem({
        status: 400,
        slug: 'malformed-cid',
        detail: `${manifest.slice(0, 100)} is not a CID of this network`,
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
}

function problemOf(manifest: string, cause: unknown): unknown {
  if (cause instanceof KuboUnavailable) return blocksAway(cause)
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
