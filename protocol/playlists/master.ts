import { type LoadedRendition, type LoadedTrack, renditionName } from '../manifests/index.ts'
import { MasterPlaylist, stringify, Variant } from './library.ts'
import { checkedUri, PlaylistError } from './uris.ts'

export type MasterUris = {
  /** Media playlists of one rendition, one per holder, best first; none when nobody holds it. */
  readonly renditionUris: (index: number, name: string) => readonly string[]
}

/** What nearly every connection carries without a stall and few ears tell from the source. */
const startBandwidth = 160_000

/** Writes the master playlist of a track. A rendition stands there once per holder: variants that differ in
 * nothing but their URI are redundant streams (RFC 8216 4.3.4.2), to which players turn when one fails.
 * @throws PlaylistError when there is no variant at all, or a URI is no URI */
export function masterPlaylist(track: LoadedTrack, uris: MasterUris): string {
  const variants = variantOrder(track).flatMap((index) => {
    const rendition = track.renditions[index]
    if (rendition === undefined) return []
    return uris.renditionUris(index, renditionName(track, index)).map(
      (uri) =>
        new Variant({
          uri: checkedUri(uri),
          // A mean above the peak is a manifest's mistake, and would make the playlist one.
          bandwidth: Math.max(rendition.bandwidth, rendition.averageBandwidth),
          averageBandwidth: rendition.averageBandwidth,
          codecs: rendition.codec,
        }),
    )
  })
  if (variants.length === 0) throw new PlaylistError('nobody holds any rendition of this track')
  const text = stringify(new MasterPlaylist({ version: 7, independentSegments: true, variants }))
  return `${text}\n`
}

/** Indices of the renditions as the master playlist lists them: the AAC rendition nearest to 160 kbit/s,
 * then the other AAC ones as in the manifest, lossless last.
 *
 * Players begin with the first variant before they have measured anything (Safari, hls.js, VLC), and simple
 * ones never leave it. So the first has to start fast and sound right, and what not every player decodes,
 * such as FLAC, must not be met first. */
export function variantOrder(track: LoadedTrack): number[] {
  const indices = track.renditions.map((_, index) => index)
  const isLossy = (index: number) => track.renditions[index]?.codec.startsWith('mp4a') ?? false
  const distance = (rendition?: LoadedRendition) =>
    Math.abs((rendition?.averageBandwidth ?? Number.POSITIVE_INFINITY) - startBandwidth)
  const lossy = indices.filter(isLossy)
  const first = lossy.reduce<number | undefined>(
    (nearest, index) =>
      nearest === undefined || distance(track.renditions[index]) < distance(track.renditions[nearest])
        ? index
        : nearest,
    undefined,
  )
  return [
    ...(first === undefined ? [] : [first]),
    ...lossy.filter((index) => index !== first),
    ...indices.filter((index) => !isLossy(index)),
  ]
}
