import type { LoadedTrack, Rendition } from '../manifests/index.ts'
import { segmentIv } from '../premium/index.ts'
import { Key, MediaInitializationSection, MediaPlaylist, Segment, stringify } from './library.ts'
import { checkedUri } from './uris.ts'

export type MediaUris = {
  /** Where a segment is fetched. `filename` tells its place and kind: `segment-00012.m4s`. For players that are
   * not ours the URI has to end in it, as in `/ipfs/<cid>?filename=<filename>`: ffmpeg (5.1.9, for one) refuses
   * segments whose URL ends in no extension that it knows, `&format=raw` included. */
  readonly segmentUri: (cid: string, filename: string) => string
  /** Where the initialization section is fetched; `filename` is `init.mp4`, and the same holds for it. */
  readonly initUri: (cid: string, filename: string) => string
  /** Where the key of an encrypted segment is fetched, by the segment's place; for premium tracks. Players that are given
   * decrypted segments need none: without it the playlist is that of the clear track. */
  readonly keyUri?: (index: number) => string
}

/** Writes the VOD media playlist of one rendition.
 * @throws RangeError when the track has no such rendition
 * @throws PlaylistError when a URI is no URI */
export function mediaPlaylist(track: LoadedTrack, renditionIndex: number, uris: MediaUris): string {
  const rendition = track.renditions[renditionIndex]
  if (rendition === undefined) throw new RangeError(`the track has no rendition ${renditionIndex}`)
  const map = new MediaInitializationSection({
    uri: checkedUri(uris.initUri(rendition.init.data['/'], 'init.mp4')),
  })
  const durations = durationsInSeconds(
    rendition.segments.map(([ticks]) => ticks),
    rendition.timescale,
  )
  const segments = rendition.segments.map(
    ([, , link], index) =>
      new Segment({
        uri: checkedUri(uris.segmentUri(link['/'], segmentFilename(index))),
        duration: durations[index],
        map,
        key: keyOf(rendition, index, uris.keyUri),
      }),
  )
  const text = stringify(
    new MediaPlaylist({
      // RFC 8216 7: EXT-X-MAP asks for 6; 7 is what the RFC itself describes.
      version: 7,
      independentSegments: true,
      playlistType: 'VOD',
      // RFC 8216 4.3.3.1: an integer that no EXTINF, rounded to the nearest integer, exceeds.
      targetDuration: durations.reduce((longest, duration) => Math.max(longest, Math.round(duration)), 1),
      segments,
      endlist: true,
    }),
  )
  return `${text}\n`
}

// Before the first encrypted segment the library writes EXT-X-KEY, and EXT-X-MAP after it where it is the first of all: so
// just there the initialization section counts as encrypted (RFC 8216 4.3.2.4), and is.
function keyOf(
  { encryption }: Rendition,
  index: number,
  keyUri: MediaUris['keyUri'],
): InstanceType<typeof Key> | undefined {
  if (encryption === undefined || keyUri === undefined || index < encryption.clearSegments) return undefined
  return new Key({
    method: encryption.method,
    uri: checkedUri(keyUri(index)),
    // Its types say ArrayBuffer, of which the library would write nothing but zeros.
    iv: segmentIv(encryption.salt, index) as unknown as ArrayBuffer,
  })
}

export function segmentFilename(index: number): string {
  return `segment-${String(index).padStart(5, '0')}.m4s`
}

// The ends of the segments are rounded to microseconds and the durations taken between them: whatever the
// count of segments, a player that adds up EXTINFs is never off by more than half a microsecond.
function durationsInSeconds(ticks: readonly number[], timescale: number): number[] {
  let elapsedTicks = 0
  let elapsedMicroseconds = 0
  return ticks.map((duration) => {
    elapsedTicks += duration
    const end = Math.round((elapsedTicks / timescale) * 1e6)
    const microseconds = end - elapsedMicroseconds
    elapsedMicroseconds = end
    return microseconds / 1e6
  })
}
