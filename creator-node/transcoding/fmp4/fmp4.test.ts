import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Fmp4Error, readInitSection, segmentTicks } from './index.ts'

/** A box with its body. */
function box(type: string, ...parts: (number[] | Uint8Array)[]): Uint8Array {
  const body = parts.flatMap((part) => [...part])
  return Uint8Array.from([...u32(body.length + 8), ...[...type].map((c) => c.charCodeAt(0)), ...body])
}
const u16 = (value: number) => [value >> 8, value & 0xff]
const u32 = (value: number) => [...u16(Math.floor(value / 65_536)), ...u16(value % 65_536)]
const zeros = (count: number) => new Array<number>(count).fill(0)

/** A segment whose samples have durations of their own, one default for all, or the track's. */
function segment(options: { samples?: number[]; count?: number; fragmentDefault?: number }): Uint8Array {
  const { samples = [], count = samples.length, fragmentDefault } = options
  const tfhd =
    fragmentDefault === undefined
      ? box('tfhd', u32(0x02_00_00), u32(1))
      : box('tfhd', u32(0x02_00_00 | 0x8 | 0x2), u32(1), u32(1), u32(fragmentDefault))
  const trun =
    samples.length > 0
      ? box('trun', u32(0x301), u32(count), u32(0), ...samples.map((ticks) => [...u32(ticks), ...u32(99)]))
      : box('trun', u32(0x205), u32(count), u32(0), u32(7), ...new Array<number[]>(count).fill(u32(99)))
  const traf = box('traf', tfhd, box('tfdt', u32(0), u32(5)), trun)
  return concat(box('styp', zeros(8)), box('moof', box('mfhd', u32(0), u32(1)), traf), box('mdat', zeros(16)))
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

function init(entry: Uint8Array, options: { timescale?: number; version?: 0 | 1; trexTicks?: number } = {}) {
  const { timescale = 44_100, version = 0, trexTicks = 0 } = options
  const mdhd = box('mdhd', [version, 0, 0, 0], zeros(version === 1 ? 16 : 8), u32(timescale), zeros(8))
  const stsd = box('stsd', u32(0), u32(1), entry)
  const mdia = box('mdia', mdhd, box('minf', box('stbl', stsd)))
  const trex = box('trex', u32(0), u32(1), u32(1), u32(trexTicks), u32(0), u32(0))
  return concat(box('ftyp', zeros(8)), box('moov', box('trak', mdia), box('mvex', trex)))
}

function sampleEntry(
  type: string,
  child: Uint8Array,
  options: { channels: number; rate: number },
): Uint8Array {
  const { channels, rate } = options
  return box(type, zeros(8), zeros(8), u16(channels), u16(16), zeros(4), u16(rate), u16(0), child)
}

/** An esds box; lengths are written in four groups, as ffmpeg does. */
function esds(configuration: number[]): Uint8Array {
  const descriptor = (tag: number, body: number[]) => [tag, 0x80, 0x80, 0x80, body.length, ...body]
  const decoder = descriptor(4, [0x40, ...zeros(12), ...descriptor(5, configuration)])
  return box('esds', u32(0), descriptor(3, [0, 1, 0, ...decoder]))
}

describe('a media segment', () => {
  test('is as long as its samples together', () => {
    expect(segmentTicks(segment({ samples: [1024, 1024, 1016] }), 0)).toBe(3064)
  })

  test('takes the duration of the fragment for samples that have none of their own', () => {
    expect(segmentTicks(segment({ count: 5, fragmentDefault: 960 }), 1024)).toBe(4800)
  })

  test('takes the duration of the track when the fragment has none either', () => {
    expect(segmentTicks(segment({ count: 5 }), 1024)).toBe(5120)
  })

  test('may hold several fragments', () => {
    const two = concat(segment({ samples: [100] }), segment({ samples: [23] }))
    expect(segmentTicks(two, 0)).toBe(123)
  })

  test('without any sample lasts no time', () => {
    expect(segmentTicks(box('styp', zeros(16)), 1024)).toBe(0)
  })

  test('sums any durations exactly', () => {
    const ticks = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(ticks, (samples) => {
        const sum = samples.reduce((total, value) => total + value, 0)
        expect(segmentTicks(segment({ samples }), 0)).toBe(sum)
      }),
    )
  })

  test('that is cut off anywhere is an error or a shorter one, never a crash', () => {
    const whole = segment({ samples: [1024, 1024, 1016] })
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (end) => {
        try {
          expect(segmentTicks(whole.subarray(0, end), 0)).toBeLessThanOrEqual(3064)
        } catch (error) {
          expect(error).toBeInstanceOf(Fmp4Error)
        }
      }),
    )
  })

  test('of arbitrary bytes is an error or some length, never a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(segmentTicks(bytes, 1)).toBeGreaterThanOrEqual(0)
        } catch (error) {
          expect(error).toBeInstanceOf(Fmp4Error)
        }
      }),
    )
  })
})

describe('an initialization section', () => {
  test('tells AAC-LC by its decoder configuration, not by the entry, which always says two channels', () => {
    // Object type 2, frequency index 4 (44,100 Hz), one channel.
    const entry = sampleEntry('mp4a', esds([0x12, 0x08]), { channels: 2, rate: 44_100 })
    expect(readInitSection(init(entry))).toEqual({
      timescale: 44_100,
      codec: 'mp4a.40.2',
      channels: 1,
      sampleRateHz: 44_100,
      defaultSampleTicks: 0,
    })
  })

  test('reads object types beyond 31 and frequencies that are written out', () => {
    // 11111 001010 1111 + 24 bits of 44,100 + 0010: object type 42, escaped frequency, two channels.
    const bits = `11111001010${'1111'}${(44_100).toString(2).padStart(24, '0')}0010`.padEnd(48, '0')
    const bytes = [0, 8, 16, 24, 32, 40].map((start) => Number.parseInt(bits.slice(start, start + 8), 2))
    const entry = sampleEntry('mp4a', esds(bytes), { channels: 2, rate: 44_100 })
    expect(readInitSection(init(entry))).toMatchObject({
      codec: 'mp4a.40.42',
      channels: 2,
      sampleRateHz: 44_100,
    })
  })

  test('tells FLAC by its entry', () => {
    const entry = sampleEntry('fLaC', box('dfLa', zeros(38)), { channels: 2, rate: 48_000 })
    const section = init(entry, { timescale: 48_000, version: 1, trexTicks: 4096 })
    expect(readInitSection(section)).toEqual({
      timescale: 48_000,
      codec: 'fLaC',
      channels: 2,
      sampleRateHz: 48_000,
      defaultSampleTicks: 4096,
    })
  })

  test('of another codec is refused', () => {
    const entry = sampleEntry('Opus', box('dOps', zeros(11)), { channels: 2, rate: 48_000 })
    expect(() => readInitSection(init(entry))).toThrow("'Opus' is neither AAC nor FLAC")
  })

  test('that is cut off anywhere is refused', () => {
    const whole = init(sampleEntry('mp4a', esds([0x12, 0x10]), { channels: 2, rate: 44_100 }))
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (end) => {
        expect(() => readInitSection(whole.subarray(0, end))).toThrow(Fmp4Error)
      }),
    )
  })
})
