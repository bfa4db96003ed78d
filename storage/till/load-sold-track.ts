import { Problem } from '@hexachord/platform/http'
import { blocksOf, type LoadedTrack, loadTrack } from '@hexachord/protocol/manifests'
import type { Subject } from '@hexachord/protocol/names'
import { unitsOfBlocks } from '@hexachord/protocol/payments'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { LRUCache } from 'lru-cache'
import pLimit from 'p-limit'
import { BlockNotFound, type IpfsNode } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'

/** Manifests with their renditions, by bytes. */
const keptBytes = 8 * 1024 * 1024
/** Blocks of theirs that cost nothing: a dozen of each. */
const freeBlocksKept = 32_768
const loadsAtOnce = 8
const loadMs = 15_000

export type SoldTracks = {
  /** @throws Problem 410 for what this operator refuses, 502 while its holders do not give it */
  load(manifest: string, subject: Subject): Promise<LoadedTrack>
  /** The track, lately loaded, to which a block belongs that leads to its sound and costs nothing. */
  subjectOf(cid: string): Subject | undefined
}

/**
 * Loads tracks that are sold here, whether this node holds them or not: any operator may serve any track.
 * @param options.fetchFrom a block of a track from its holders
 */
export function createSoldTracks(options: {
  ipfs: Pick<IpfsNode, 'get'>
  takedowns?: Pick<Takedowns, 'requireServed'> | undefined
  fetchFrom: (subject: Subject, cid: string, signal: AbortSignal) => Promise<Uint8Array>
}): SoldTracks {
  const { ipfs, takedowns, fetchFrom } = options
  const limit = pLimit(loadsAtOnce)
  const known = new LRUCache<string, LoadedTrack>({
    maxSize: keptBytes,
    sizeCalculation: (track) =>
      track.renditions.reduce((sum, { byteLength }) => sum + byteLength, track.byteLength),
  })

  const freeBlocks = new LRUCache<string, Subject>({ max: freeBlocksKept })

  function note(subject: Subject, track: LoadedTrack): void {
    const units = unitsOfBlocks(track)
    for (const { cid } of blocksOf(track)) if (!units.has(cid)) freeBlocks.set(cid, subject)
  }

  async function fetchAll(manifest: string, subject: Subject): Promise<LoadedTrack> {
    const signal = AbortSignal.timeout(loadMs)
    const track = await loadTrack(manifest, async (cid) => {
      try {
        return await ipfs.get(cid, { signal })
      } catch (error) {
        if (!(error instanceof BlockNotFound)) throw error
        return fetchFrom(subject, cid, signal)
      }
    })
    known.set(manifest, track)
    note(subject, track)
    return track
  }

  return {
    subjectOf: (cid) => freeBlocks.get(cid),
    async load(manifest, subject) {
      takedowns?.requireServed(manifest)
      const kept = known.get(manifest)
      if (kept !== undefined) return kept
      try {
        return await limit(() => fetchAll(manifest, subject))
      } catch (cause) {
        if (!(cause instanceof RetrievalFailed)) throw cause
        const detail = `no holder of ${subject} gives its manifest now; try again soon, or ask another node`
        throw new Problem({ status: 502, detail, headers: { 'Retry-After': '5' }, cause })
      }
    },
  }
}
