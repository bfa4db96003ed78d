import type { LoadedTrack } from '@hexachord/protocol/manifests'
import { decryptSegment, segmentIv } from '@hexachord/protocol/premium'
import type { KeyPlace, TryKey } from '../paying/index.ts'

/** Gets the key of a segment from one of the track's key holders: 16 bytes. Ends by itself, in whatever time it has.
 * @param tryKey by which a holder that gives wrong keys is found out, and another one asked */
export type TrackKeys = (place: KeyPlace, tryKey: TryKey) => Promise<Uint8Array>

/** A premium track is to be played, and nothing is there that would get its keys. */
export class TrackLocked extends Error {
  override readonly name = 'TrackLocked'
}

/**
 * Opens blocks of a track: those of a premium one with their keys, all others as they are. Each key is asked for once.
 * @returns what is in a block
 * @throws TrackLocked without `keys`, DecryptError for a wrong one, and what `keys` throws
 */
export function createOpenBlock(
  track: LoadedTrack,
  keys: TrackKeys | undefined,
): (cid: string, bytes: Uint8Array) => Promise<Uint8Array> {
  const places = placesOf(track)
  const known = new Map<string, Promise<Uint8Array>>()

  function keyOf(place: KeyPlace, tryKey: TryKey): Promise<Uint8Array> {
    const name = `${place.rendition}/${place.segment}`
    const key = known.get(name) ?? ask(place, tryKey)
    known.set(name, key)
    // Who was refused may have paid by the next time.
    key.catch(() => known.delete(name))
    return key
  }

  async function ask(place: KeyPlace, tryKey: TryKey): Promise<Uint8Array> {
    if (keys === undefined) {
      throw new TrackLocked('this track is premium: from here on it opens only with keys, which cost money')
    }
    return keys(place, tryKey)
  }

  return async (cid, bytes) => {
    const place = places.get(cid)
    const salt = place && track.renditions[place.rendition]?.encryption?.salt
    if (place === undefined || salt === undefined) return bytes
    const iv = segmentIv(salt, place.segment)
    const openWith = async (key: Uint8Array) => decryptSegment(bytes, { key: new Uint8Array(key), iv })
    return openWith(await keyOf(place, openWith))
  }
}

function placesOf({ cid: manifest, renditions }: LoadedTrack): Map<string, KeyPlace> {
  const places = new Map<string, KeyPlace>()
  for (const [rendition, { encryption, init, segments }] of renditions.entries()) {
    if (encryption === undefined) continue
    if (encryption.clearSegments === 0) places.set(init.data['/'], { manifest, rendition, segment: 0 })
    for (const [segment, [, , link]] of segments.entries()) {
      if (segment >= encryption.clearSegments) places.set(link['/'], { manifest, rendition, segment })
    }
  }
  return places
}
