import {
  audioFileOf,
  type LoadedTrack,
  nominalKbits,
  renditionName,
  usualRendition,
} from '@hexachord/protocol/manifests'

/** One rendition, as it is kept: as the one file that nodes make of it. */
export type KeptRendition = {
  /** As nodes know it: `aac-160`, `flac`. */
  readonly name: string
  readonly codec: string
  readonly kbits: number
  readonly byteLength: number
  readonly channels: number
  readonly sampleRateHz: number
}

/** What is kept of a track's audio. */
export type KeptAudio = {
  /** The one first that is given where none is asked for by name; none where they are no good. */
  readonly renditions: readonly KeptRendition[]
  readonly loudness?: { readonly milliLufs: number; readonly truePeakMilliDbtp: number }
}

export function audioOf(track: LoadedTrack): KeptAudio {
  const renditions = track.renditions.map((rendition, place) => ({
    name: renditionName(track, place),
    codec: rendition.codec,
    kbits: nominalKbits(rendition.averageBandwidth),
    byteLength: audioFileOf(rendition).byteLength,
    channels: rendition.channels,
    sampleRateHz: rendition.sampleRateHz,
  }))
  const [usual] = renditions.splice(usualRendition(track), 1)
  const { loudness } = track.manifest
  return {
    renditions: usual === undefined ? renditions : [usual, ...renditions],
    ...(loudness && {
      loudness: { milliLufs: loudness.integratedMilliLufs, truePeakMilliDbtp: loudness.truePeakMilliDbtp },
    }),
  }
}

/** Which rendition a program gets that asks for a file of at most so many kbit/s: the best AAC of those, and the least one where
 * none is. @returns undefined where none is known */
export function renditionUpTo({ renditions }: KeptAudio, kbits: number): KeptRendition | undefined {
  const aac = renditions.filter(({ codec }) => codec.startsWith('mp4a'))
  const rising = (aac.length > 0 ? aac : [...renditions]).sort((left, right) => left.kbits - right.kbits)
  return rising.findLast((rendition) => rendition.kbits <= kbits) ?? rising[0]
}
