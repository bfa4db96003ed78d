import type { LoadedRendition, LoadedTrack, Rendition } from './manifest.ts'
import { ManifestError } from './manifest.ts'
import { segmentIndex } from './segment-index.ts'

/** A block of a file, and how many bytes of the file it is. */
export type FileBlock = { readonly cid: string; readonly byteLength: number }

/** What a file is put together from: a block, or bytes that follow from the manifest. */
export type FilePart = FileBlock | { readonly bytes: Uint8Array; readonly byteLength: number }

/** Whatever its codec is: a program that plays none of it is told so by the file itself. */
export const audioFileType = 'audio/mp4'

/**
 * A rendition as one file: its initialization section, an index of its segments, and these, one after the other, are a
 * fragmented MP4 (ISO/IEC 14496-12 8.8), so that every holder of the blocks can give the same bytes without keeping
 * them twice. By the index a player knows how long it is and where a second lies without looking at each segment.
 */
export function audioFileOf(rendition: Pick<Rendition, 'init' | 'segments' | 'timescale'>): {
  readonly byteLength: number
  readonly parts: readonly FilePart[]
} {
  const { init, segments } = rendition
  const index = segmentIndex(rendition)
  const parts = [
    { cid: init.data['/'], byteLength: init.byteLength },
    { bytes: index, byteLength: index.length },
    ...segments.map(([, byteLength, { '/': cid }]) => ({ cid, byteLength })),
  ]
  return { parts, byteLength: parts.reduce((sum, { byteLength }) => sum + byteLength, 0) }
}

/** Which rendition a program gets that asks for a file and for none by name: the best AAC, which everything plays,
 * else the first. @returns its place among the renditions */
export function usualRendition({ renditions }: Pick<LoadedTrack, 'renditions'>): number {
  const rank = ({ codec, averageBandwidth }: LoadedRendition) =>
    codec.startsWith('mp4a') ? averageBandwidth : 0
  const [first, ...others] = renditions.entries()
  if (first === undefined) throw new ManifestError('a track has at least one rendition')
  return others.reduce((best, other) => (rank(other[1]) > rank(best[1]) ? other : best), first)[0]
}
