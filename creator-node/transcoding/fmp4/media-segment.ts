import { type Box, boxAt, boxesIn, Fmp4Error, readingBoxes, viewOf } from './boxes.ts'

/** Flags of `tfhd` and `trun` (ISO/IEC 14496-12 8.8.7, 8.8.8) that say which fields are there. */
const header = { baseOffset: 0x1, description: 0x2, duration: 0x8 } as const
const run = {
  dataOffset: 0x1,
  firstFlags: 0x4,
  duration: 0x100,
  size: 0x200,
  flags: 0x400,
  offset: 0x800,
} as const

/**
 * Exact length of a media segment, as the sum of its samples' durations.
 * @param defaultSampleTicks of the initialization section
 * @returns ticks of the track's timescale; 0 for a segment without any sample
 * @throws Fmp4Error
 */
export function segmentTicks(bytes: Uint8Array, defaultSampleTicks: number): number {
  return readingBoxes(() => {
    const view = viewOf(bytes)
    let ticks = 0
    for (const fragment of boxesIn(view).filter(({ type }) => type === 'moof')) {
      for (const track of boxesIn(view, fragment.start, fragment.end).filter(({ type }) => type === 'traf')) {
        ticks += trackTicks(view, track, defaultSampleTicks)
      }
    }
    return ticks
  })
}

function trackTicks(view: DataView, track: Box, defaultTicks: number): number {
  const sampleTicks = headerTicks(view, boxAt(view, 'tfhd', track)) ?? defaultTicks
  return boxesIn(view, track.start, track.end)
    .filter(({ type }) => type === 'trun')
    .reduce((sum, box) => sum + runTicks(view, box, sampleTicks), 0)
}

/** The duration that holds for this fragment, if it names one. */
function headerTicks(view: DataView, tfhd: Box): number | undefined {
  const flags = flagsOf(view, tfhd)
  if (!(flags & header.duration)) return undefined
  const before = 8 + (flags & header.baseOffset ? 8 : 0) + (flags & header.description ? 4 : 0)
  return view.getUint32(tfhd.start + before)
}

function runTicks(view: DataView, trun: Box, sampleTicks: number): number {
  const flags = flagsOf(view, trun)
  const count = view.getUint32(trun.start + 4)
  if (!(flags & run.duration)) return count * sampleTicks
  const first = trun.start + 8 + (flags & run.dataOffset ? 4 : 0) + (flags & run.firstFlags ? 4 : 0)
  const stride =
    4 * [run.duration, run.size, run.flags, run.offset].filter((field) => (flags & field) !== 0).length
  if (first + count * stride > trun.end) throw new Fmp4Error(`a run of ${count} samples is cut off`)
  let ticks = 0
  for (let sample = 0; sample < count; sample++) ticks += view.getUint32(first + sample * stride)
  return ticks
}

function flagsOf(view: DataView, box: Box): number {
  return view.getUint32(box.start) & 0xff_ff_ff
}
