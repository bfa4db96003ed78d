import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { bandwidthOf } from './bandwidth.ts'
import { parseLoudness } from './loudness.ts'
import { createPeakMeter, waveformPixels } from './waveform.ts'

const bytesOf = (samples: readonly number[]) => {
  const view = new DataView(new ArrayBuffer(samples.length * 2))
  samples.forEach((sample, place) => {
    view.setInt16(place * 2, sample, true)
  })
  return new Uint8Array(view.buffer)
}

describe('the waveform', () => {
  test('shows lowest and highest sample of each pixel in 8 bits', () => {
    const meter = createPeakMeter(8_000)
    meter.add(bytesOf([0, 32_767, -32_768, 255, -1]))
    expect(meter.waveform()).toMatchObject({
      version: 2,
      channels: 1,
      sample_rate: 8_000,
      samples_per_pixel: 1,
      bits: 8,
      length: 5,
      data: [0, 0, 127, 127, -128, -128, 0, 0, -1, -1],
    })
  })

  test('is the same however the samples are handed over', () => {
    const sample = fc.integer({ min: -32_768, max: 32_767 })
    fc.assert(
      fc.property(
        fc.array(sample, { maxLength: 3_000 }),
        fc.integer({ min: 1, max: 97 }),
        (samples, step) => {
          const whole = createPeakMeter(8_000)
          whole.add(bytesOf(samples))
          const parts = createPeakMeter(8_000)
          const bytes = bytesOf(samples)
          for (let start = 0; start < bytes.length; start += step)
            parts.add(bytes.subarray(start, start + step))
          expect(parts.waveform()).toEqual(whole.waveform())
          expect(parts.samples()).toBe(samples.length)
        },
      ),
    )
  })

  test('of any length has close to as many pixels as are drawn, and loses no peak', () => {
    for (const count of [5_000, 1_000_000, 3_333_333]) {
      const meter = createPeakMeter(8_000)
      const samples = new Int16Array(count)
      samples[count - 1] = 32_767
      samples[Math.floor(count / 2)] = -32_768
      meter.add(new Uint8Array(samples.buffer))
      const { length, data, samples_per_pixel } = meter.waveform()
      expect(length).toBeLessThanOrEqual(waveformPixels)
      expect(length).toBeGreaterThan(waveformPixels * 0.85)
      expect(length * samples_per_pixel).toBeGreaterThanOrEqual(count)
      expect(Math.max(...data)).toBe(127)
      expect(Math.min(...data)).toBe(-128)
    }
  })
})

describe('loudness', () => {
  const log = (peak: string) => `[Parsed_ebur128_1 @ 0x55] Summary:

  Integrated loudness:
    I:         -14.3 LUFS
    Threshold: -24.6 LUFS

  Loudness range:
    LRA:         6.1 LU
    Threshold: -34.6 LUFS
    LRA low:   -18.9 LUFS
    LRA high:  -12.8 LUFS

  True peak:
    Peak:      ${peak} dBFS
`
  test('is read from the summary in thousandths', () => {
    expect(parseLoudness(log('-0.2'))).toEqual({
      integratedMilliLufs: -14_300,
      rangeMilliLu: 6_100,
      truePeakMilliDbtp: -200,
    })
  })
  test('may have peaks above full scale', () => {
    expect(parseLoudness(log('1.4'))?.truePeakMilliDbtp).toBe(1_400)
  })
  test('of silence there is none', () => {
    expect(parseLoudness(log('-inf'))).toBeUndefined()
    expect(parseLoudness('nothing was measured')).toBeUndefined()
    expect(parseLoudness('Summary: I: 2 LUFS LRA: . LU Peak: 3 dBFS')).toBeUndefined()
  })
})

describe('bandwidth', () => {
  const options = { timescale: 1_000, targetSeconds: 6 }
  test('is the mean of all, and the highest of any stretch of about a segment', () => {
    const segments = [
      { ticks: 6_000, byteLength: 60_000 },
      { ticks: 6_000, byteLength: 120_000 },
    ]
    expect(bandwidthOf(segments, options)).toEqual({ average: 120_000, peak: 160_000 })
  })
  test('does not take a last segment of one frame for a peak', () => {
    const segments = [
      { ticks: 6_000, byteLength: 120_000 },
      { ticks: 20, byteLength: 1_000 },
    ]
    const { peak } = bandwidthOf(segments, options)
    expect(peak).toBe(Math.ceil((121_000 * 8) / 6.02))
  })
  test('of one short segment is that of the segment', () => {
    expect(bandwidthOf([{ ticks: 500, byteLength: 1_000 }], options)).toEqual({
      average: 16_000,
      peak: 16_000,
    })
  })
})
