import type { Rendition } from '@hexachord/protocol/manifests'
import { boxAt, boxesIn, Fmp4Error, readingBoxes, viewOf } from '../transcoding/fmp4/boxes.ts'
import { readInitSection, segmentTicks } from '../transcoding/fmp4/index.ts'

/** What is known of a rendition's samples from its initialization section. */
export type SampleDefaults = { readonly ticks: number; readonly bytes: number }

/** Flags of `tfhd` and `trun` (ISO/IEC 14496-12 8.8.7, 8.8.8). */
const header = { baseOffset: 0x1, description: 0x2, duration: 0x8, size: 0x10 } as const
const run = { dataOffset: 0x1, firstFlags: 0x4, duration: 0x100, size: 0x200, flags: 0x400, offset: 0x800 }

const initBoxes = ['ftyp', 'moov']
const segmentBoxes = ['styp', 'sidx', 'moof', 'mdat']

/** An initialization section of one audio track has about 700 bytes. */
const maximumInitBytes = 16 * 1024
/** What boxes need beside the sound: some for each segment and fragment, and a few words for each sample. */
const boxReserveBytes = 4 * 1024
const boxBytesPerSample = 16

/** Samples of sound in one frame at most: AAC with SBR, FLAC by its format. */
const frameSamples = { mp4a: 2_048, fLaC: 65_535 } as const

/** Checks an initialization section against what the manifest says of its rendition. @throws Fmp4Error */
export function checkInit(bytes: Uint8Array, rendition: Rendition): SampleDefaults {
  if (bytes.length > maximumInitBytes) throw new Fmp4Error('the initialization section is too large')
  const section = readInitSection(bytes)
  for (const name of ['timescale', 'codec', 'channels', 'sampleRateHz'] as const) {
    if (section[name] !== rendition[name]) {
      throw new Fmp4Error(
        `the manifest says that ${name} is ${rendition[name]}, the sound has ${section[name]}`,
      )
    }
  }
  return readingBoxes(() => {
    const view = viewOf(bytes)
    checkTypes(view, initBoxes)
    const trex = boxAt(view, 'moov/mvex/trex', { start: 0, end: view.byteLength })
    return { ticks: section.defaultSampleTicks, bytes: view.getUint32(trex.start + 16) }
  })
}

/**
 * Checks that a segment is sound of the length that the manifest claims, in frames of a length that its codec can
 * have, and nothing beside it.
 * @param ticks as the manifest says
 * @throws Fmp4Error
 */
export function checkSegment(
  bytes: Uint8Array,
  ticks: number,
  rendition: Rendition,
  defaults: SampleDefaults,
): void {
  const actual = segmentTicks(bytes, defaults.ticks)
  if (actual !== ticks) throw new Fmp4Error(`the manifest says ${ticks} ticks, the sound has ${actual}`)
  const { samples, sampleBytes, dataBytes } = readingBoxes(() => contentsOf(bytes, defaults))
  if (sampleBytes !== dataBytes) {
    throw new Fmp4Error(`${dataBytes} bytes of data belong to samples of ${sampleBytes} bytes`)
  }
  if (bytes.length - dataBytes > boxReserveBytes + samples * boxBytesPerSample) {
    throw new Fmp4Error('it holds more than sound')
  }
  const longest = rendition.codec.startsWith('mp4a') ? frameSamples.mp4a : frameSamples.fLaC
  // A second more: where frames were lost, what is copied from a source stretches the one before.
  const mostTicks = ((samples * longest) / rendition.sampleRateHz + 1) * rendition.timescale
  if (ticks > mostTicks) throw new Fmp4Error(`${samples} frames cannot last ${ticks} ticks`)
}

function contentsOf(bytes: Uint8Array, defaults: SampleDefaults) {
  const view = viewOf(bytes)
  const sum = { samples: 0, sampleBytes: 0, dataBytes: 0 }
  for (const box of checkTypes(view, segmentBoxes)) {
    if (box.type === 'mdat') sum.dataBytes += box.end - box.start
    if (box.type !== 'moof') continue
    for (const track of boxesIn(view, box.start, box.end).filter(({ type }) => type === 'traf')) {
      const usual = usualBytes(view, boxAt(view, 'tfhd', track).start) ?? defaults.bytes
      for (const trun of boxesIn(view, track.start, track.end).filter(({ type }) => type === 'trun')) {
        const count = view.getUint32(trun.start + 4)
        sum.samples += count
        sum.sampleBytes += runBytes(view, trun, count, usual)
      }
    }
  }
  return sum
}

/** The size that holds for the samples of this fragment, if it names one. */
function usualBytes(view: DataView, start: number): number | undefined {
  const flags = view.getUint32(start) & 0xff_ff_ff
  if (!(flags & header.size)) return undefined
  const before =
    8 +
    (flags & header.baseOffset ? 8 : 0) +
    (flags & header.description ? 4 : 0) +
    (flags & header.duration ? 4 : 0)
  return view.getUint32(start + before)
}

function runBytes(
  view: DataView,
  trun: { start: number; end: number },
  count: number,
  usual: number,
): number {
  const flags = view.getUint32(trun.start) & 0xff_ff_ff
  if (!(flags & run.size)) return count * usual
  const first = trun.start + 8 + (flags & run.dataOffset ? 4 : 0) + (flags & run.firstFlags ? 4 : 0)
  const words = [run.duration, run.size, run.flags, run.offset].filter(
    (field) => (flags & field) !== 0,
  ).length
  const place = flags & run.duration ? 4 : 0
  if (first + count * words * 4 > trun.end) throw new Fmp4Error(`a run of ${count} samples is cut off`)
  let bytes = 0
  for (let sample = 0; sample < count; sample++) bytes += view.getUint32(first + sample * words * 4 + place)
  return bytes
}

function checkTypes(view: DataView, allowed: readonly string[]) {
  const boxes = boxesIn(view)
  const stranger = boxes.find(({ type }) => !allowed.includes(type))
  if (stranger !== undefined) throw new Fmp4Error(`a box '${stranger.type}' has no place there`)
  return boxes
}
