import { type Box, boxAt, boxesIn, Fmp4Error, readingBoxes, viewOf } from './boxes.ts'

/** What an initialization section says of the one audio track behind it. */
export type InitSection = {
  /** Ticks per second. */
  readonly timescale: number
  /** RFC 6381, as `CODECS` has it. */
  readonly codec: string
  readonly channels: number
  readonly sampleRateHz: number
  /** Ticks of a sample for which a fragment gives no other (ISO/IEC 14496-12 8.8.3). */
  readonly defaultSampleTicks: number
}

/** Fields of an AudioSampleEntry before its boxes (ISO/IEC 14496-12 12.2.3). */
const sampleEntryBytes = 28

/** Reads an initialization section. @throws Fmp4Error */
export function readInitSection(bytes: Uint8Array): InitSection {
  return readingBoxes(() => {
    const view = viewOf(bytes)
    const media = mediaOf(view)
    return {
      timescale: timescaleOf(view, boxAt(view, 'mdhd', media)),
      ...firstAudioOf(view, media),
      defaultSampleTicks: view.getUint32(boxAt(view, 'moov/mvex/trex', wholeOf(view)).start + 12),
    }
  })
}

/** What the first track of any MP4 says of its sound. @param bytes a whole `moov` box. @throws Fmp4Error */
export function readMovie(bytes: Uint8Array): Pick<InitSection, 'codec' | 'channels' | 'sampleRateHz'> {
  return readingBoxes(() => {
    const view = viewOf(bytes)
    return firstAudioOf(view, mediaOf(view))
  })
}

function wholeOf(view: DataView): { start: number; end: number } {
  return { start: 0, end: view.byteLength }
}

function mediaOf(view: DataView): Box {
  return boxAt(view, 'moov/trak/mdia', wholeOf(view))
}

function firstAudioOf(view: DataView, media: Box) {
  const [entry] = boxesIn(view, ...entriesOf(boxAt(view, 'minf/stbl/stsd', media)))
  if (entry === undefined) throw new Fmp4Error('the track has no sample entry')
  return audioOf(view, entry)
}

/** A full box (4 bytes of version and flags) with a count of 4 bytes, then entries. */
function entriesOf(box: Box): [number, number] {
  return [box.start + 8, box.end]
}

/** Version 1 has 64-bit times before the timescale. */
function timescaleOf(view: DataView, mdhd: Box): number {
  const timescale = view.getUint32(mdhd.start + (view.getUint8(mdhd.start) === 1 ? 20 : 12))
  if (timescale === 0) throw new Fmp4Error('the timescale is zero')
  return timescale
}

function audioOf(view: DataView, entry: Box): Pick<InitSection, 'codec' | 'channels' | 'sampleRateHz'> {
  const within = { start: entry.start + sampleEntryBytes, end: entry.end }
  if (entry.type === 'mp4a') return aacOf(view, boxAt(view, 'esds', within))
  if (entry.type === 'fLaC') {
    return {
      codec: 'fLaC',
      channels: view.getUint16(entry.start + 16),
      // 16.16 fixed point: enough for the 48 kHz at which lossless renditions end.
      sampleRateHz: view.getUint16(entry.start + 24),
    }
  }
  throw new Fmp4Error(`'${entry.type}' is neither AAC nor FLAC`)
}

const tags = { stream: 3, decoder: 4, specific: 5 } as const
const escapedObjectType = 31
const escapedFrequency = 15
/** ISO/IEC 14496-3 1.6.3.4 */
const frequencies = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
]

/** The mp4a entry itself always says two channels; the truth stands in the decoder's own configuration. */
function aacOf(view: DataView, esds: Box): Pick<InitSection, 'codec' | 'channels' | 'sampleRateHz'> {
  const stream = descriptorAt(view, esds.start + 4, tags.stream)
  const streamFlags = view.getUint8(stream + 2)
  const skipped =
    (streamFlags & 0x80 ? 2 : 0) +
    (streamFlags & 0x40 ? 1 + view.getUint8(stream + 3) : 0) +
    (streamFlags & 0x20 ? 2 : 0)
  const decoder = descriptorAt(view, stream + 3 + skipped, tags.decoder)
  const bits = bitsFrom(view, descriptorAt(view, decoder + 13, tags.specific))
  const short = bits(5)
  const objectType = short === escapedObjectType ? 32 + bits(6) : short
  const index = bits(4)
  const sampleRateHz = index === escapedFrequency ? bits(24) : frequencies[index]
  const configuration = bits(4)
  if (sampleRateHz === undefined || configuration === 0) {
    throw new Fmp4Error('the AAC configuration names no sample rate or no channels')
  }
  const indication = view.getUint8(decoder).toString(16).padStart(2, '0')
  return {
    codec: `mp4a.${indication}.${objectType}`,
    channels: configuration === 7 ? 8 : configuration,
    sampleRateHz,
  }
}

/** Where a descriptor's body begins: its length is in groups of seven bits (ISO/IEC 14496-1 8.3.3). */
function descriptorAt(view: DataView, offset: number, tag: number): number {
  if (view.getUint8(offset) !== tag) throw new Fmp4Error(`descriptor ${tag} is missing`)
  let body = offset + 1
  while (view.getUint8(body) & 0x80) body += 1
  return body + 1
}

function bitsFrom(view: DataView, start: number): (count: number) => number {
  let place = start * 8
  return (count) => {
    let value = 0
    for (let i = 0; i < count; i++, place++) {
      value = value * 2 + ((view.getUint8(place >> 3) >> (7 - (place & 7))) & 1)
    }
    return value
  }
}
