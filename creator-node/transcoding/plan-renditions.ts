import type { AudioSource } from './probe.ts'

/** How one rendition is made. */
export type RenditionPlan = {
  /** `aac-160`, `flac`; unique within a track. */
  readonly name: string
  /** `copy` keeps the source's own frames, bit by bit; `encode` makes new ones. */
  readonly method: 'copy' | 'encode'
  readonly codec: 'aac' | 'flac'
  /** Bits per second that are aimed at (AAC) or expected at most (FLAC). */
  readonly bitRate: number
  readonly channels: number
  readonly sampleRateHz: number
  /** Of FLAC. */
  readonly bitsPerSample: 16 | 24
  readonly segmentSeconds: 6 | 3
  /** What to make instead when the source's frames cannot be copied after all. */
  readonly otherwise?: RenditionPlan
}

/** Rungs of the ladder: for phones on poor networks, for most ears, for good equipment. Bits per second. */
const ladder = [96_000, 160_000, 320_000] as const

/** From one rung to the next must be a difference that can be heard, or it only costs room. */
const worthwhileStep = 1.25

/** Two channels share what they have in common; one alone sounds as good with half the bits. */
const mostForMono = 160_000

/** Below this AAC-LC is not music any more, whatever the source has. */
const leastBitRate = 32_000

const maximumBlockBytes = 1 << 20
/** Headers of a segment's boxes and frames, and up to one frame past the cut. */
const segmentReserveBytes = 80_000

/**
 * The renditions of a track in the order in which they are worth making: first what costs nothing and plays at
 * once (frames that the source already has), then the one that players begin with, then the costliest, so that
 * several cores end together.
 *
 * No AAC rendition has more bits than the source. Where the source lies well above the last rung that it reaches,
 * its own rate is one more rung: an MP3 of 128 kbit/s gives 96 and 128, one of 192 gives 96 and 160. A source that
 * is AAC itself is its own highest rung.
 */
export function planRenditions(source: AudioSource): RenditionPlan[] {
  const copied = canCopyAac(source) ? [aacCopy(source)] : []
  const lossless = source.lossless ? [flac(source)] : []
  const encoded = aacRates(source).map((rate) => aac(source, rate))
  const start = encoded.findLast(({ bitRate }) => bitRate <= 160_000)
  return [
    ...copied,
    ...lossless.filter(({ method }) => method === 'copy'),
    ...(start === undefined ? [] : [start]),
    ...encoded.filter((plan) => plan !== start).sort((a, b) => b.bitRate - a.bitRate),
    ...lossless.filter(({ method }) => method === 'encode'),
  ]
}

function aacRates(source: AudioSource): number[] {
  const channels = Math.min(2, source.channels)
  const held = Math.min(heldBitRate(source), channels === 1 ? mostForMono : Number.POSITIVE_INFINITY)
  // A source that is copied stands as a rung already: only what lies clearly below it is worth encoding.
  const most = canCopyAac(source) ? held / worthwhileStep : held
  const rungs = ladder.filter((rate) => rate <= most)
  if (canCopyAac(source)) return rungs
  const last = rungs.at(-1) ?? 0
  const own = Math.min(ladder[2], Math.floor(held / 8_000) * 8_000)
  if (own >= last * worthwhileStep) return [...rungs, Math.max(own, leastBitRate)]
  return rungs
}

/** What an AAC stream could have of the source at most. */
function heldBitRate(source: AudioSource): number {
  if (source.lossless) return source.sampleRateHz * source.bitsPerSample * Math.min(2, source.channels)
  // SBR makes the upper half of the spectrum from a hint: without it, the same sound takes about twice the bits.
  return source.codec === 'aac' && source.profile?.startsWith('HE') ? source.bitRate * 2 : source.bitRate
}

function aac(source: AudioSource, bitRate: number): RenditionPlan {
  return {
    name: nameOf(bitRate),
    method: 'encode',
    codec: 'aac',
    bitRate,
    channels: Math.min(2, source.channels),
    sampleRateHz: renditionRateHz(source.sampleRateHz),
    bitsPerSample: 16,
    segmentSeconds: 6,
  }
}

function aacCopy(source: AudioSource): RenditionPlan {
  const plan = { ...aac(source, source.bitRate), sampleRateHz: source.sampleRateHz }
  const rate = Math.max(leastBitRate, Math.min(ladder[2], source.bitRate))
  return { ...plan, method: 'copy', otherwise: { ...aac(source, rate), name: plan.name } }
}

/** AAC-LC as every player decodes it. HE-AAC, more channels and odd rates are encoded anew. */
function canCopyAac(source: AudioSource): boolean {
  return (
    source.codec === 'aac' &&
    source.profile === 'LC' &&
    source.channels <= 2 &&
    source.bitRate >= leastBitRate &&
    source.bitRate <= 600_000 &&
    [32_000, 44_100, 48_000].includes(source.sampleRateHz)
  )
}

function flac(source: AudioSource): RenditionPlan {
  const channels = Math.min(2, source.channels)
  const sampleRateHz = renditionRateHz(source.sampleRateHz)
  const bitsPerSample = source.bitsPerSample > 16 ? 24 : 16
  const bitRate = sampleRateHz * bitsPerSample * channels
  const encode: RenditionPlan = {
    name: 'flac',
    method: 'encode',
    codec: 'flac',
    bitRate,
    channels,
    sampleRateHz,
    bitsPerSample,
    segmentSeconds: (bitRate / 8) * 6 + segmentReserveBytes <= maximumBlockBytes ? 6 : 3,
  }
  const canCopy =
    source.codec === 'flac' &&
    source.channels <= 2 &&
    source.sampleRateHz === sampleRateHz &&
    source.bitsPerSample === bitsPerSample
  return canCopy ? { ...encode, method: 'copy', otherwise: encode } : encode
}

/** 44.1 or 48 kHz, whichever the source's rate is a simple ratio of. */
function renditionRateHz(sourceRateHz: number): number {
  return sourceRateHz % 11_025 === 0 ? 44_100 : 48_000
}

function nameOf(bitRate: number): string {
  return `aac-${Math.round(bitRate / 1000)}`
}
