import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { planRenditions } from './plan-renditions.ts'
import type { AudioSource } from './probe.ts'

const wav: AudioSource = {
  codec: 'pcm_s16le',
  profile: undefined,
  sampleRateHz: 44_100,
  channels: 2,
  lossless: true,
  bitsPerSample: 16,
  bitRate: 1_411_200,
  durationMs: 240_000,
  durationStated: true,
}
const mp3 = (bitRate: number): AudioSource => ({ ...wav, codec: 'mp3', lossless: false, bitRate })
const aac = (bitRate: number): AudioSource => ({ ...mp3(bitRate), codec: 'aac', profile: 'LC' })
const names = (source: AudioSource) => planRenditions(source).map(({ name }) => name)
const methods = (source: AudioSource) => planRenditions(source).map(({ name, method }) => `${method} ${name}`)

describe('the renditions of a lossless source', () => {
  test('are the whole ladder and FLAC, first the one that players begin with', () => {
    expect(methods(wav)).toEqual(['encode aac-160', 'encode aac-320', 'encode aac-96', 'encode flac'])
  })

  test('copy FLAC that players take as it is, at once', () => {
    expect(methods({ ...wav, codec: 'flac' })[0]).toBe('copy flac')
  })

  test.each([
    ['of more bits', { bitsPerSample: 20 }],
    ['of a high rate', { sampleRateHz: 96_000 }],
    ['of more channels', { channels: 6 }],
  ])('encode FLAC %s anew', (_, difference) => {
    const plans = planRenditions({ ...wav, codec: 'flac', ...difference })
    expect(plans.find(({ name }) => name === 'flac')).toMatchObject({ method: 'encode' })
  })

  test.each([
    [44_100, 44_100],
    [48_000, 48_000],
    [88_200, 44_100],
    [96_000, 48_000],
    [192_000, 48_000],
    [22_050, 44_100],
    [8_000, 48_000],
  ])('come from %i Hz at %i Hz', (sampleRateHz, expected) => {
    for (const plan of planRenditions({ ...wav, sampleRateHz })) expect(plan.sampleRateHz).toBe(expected)
  })

  test('have at most 24 bits and two channels', () => {
    for (const plan of planRenditions({ ...wav, bitsPerSample: 24, channels: 8 })) {
      expect(plan.channels).toBe(2)
      if (plan.codec === 'flac') expect(plan.bitsPerSample).toBe(24)
    }
  })

  test('cut FLAC into 3 s where 6 s of noise would not fit into a block', () => {
    const seconds = (difference: Partial<AudioSource>) =>
      planRenditions({ ...wav, ...difference }).find(({ codec }) => codec === 'flac')?.segmentSeconds
    expect(seconds({})).toBe(3)
    expect(seconds({ bitsPerSample: 24, sampleRateHz: 48_000 })).toBe(3)
    expect(seconds({ channels: 1 })).toBe(6)
  })
})

describe('the renditions of a lossy source', () => {
  test.each([
    [64_000, ['aac-64']],
    [96_000, ['aac-96']],
    [128_000, ['aac-128', 'aac-96']],
    [192_000, ['aac-160', 'aac-96']],
    [256_000, ['aac-160', 'aac-256', 'aac-96']],
    [320_000, ['aac-160', 'aac-320', 'aac-96']],
  ])('of an MP3 of %i bit/s are %j', (bitRate, expected) => {
    expect(names(mp3(bitRate))).toEqual(expected)
  })

  test('never copy an MP3, which does not play from MP4 everywhere', () => {
    expect(planRenditions(mp3(320_000)).every(({ method }) => method === 'encode')).toBe(true)
  })

  test.each([
    [64_000, ['copy aac-64']],
    [128_000, ['copy aac-128', 'encode aac-96']],
    [256_000, ['copy aac-256', 'encode aac-160', 'encode aac-96']],
    [320_000, ['copy aac-320', 'encode aac-160', 'encode aac-96']],
  ])('of AAC of %i bit/s begin with its own frames: %j', (bitRate, expected) => {
    expect(methods(aac(bitRate))).toEqual(expected)
  })

  test.each([
    ['HE-AAC', { profile: 'HE-AAC' }],
    ['six channels', { channels: 6 }],
    ['a rate that players may not take', { sampleRateHz: 96_000 }],
  ])('encode AAC with %s', (_, difference) => {
    const plans = planRenditions({ ...aac(256_000), ...difference })
    expect(plans.every(({ method }) => method === 'encode')).toBe(true)
  })

  test('say how to encode what turns out not to be copyable', () => {
    const [copied] = planRenditions(aac(256_000))
    expect(copied?.otherwise).toMatchObject({ method: 'encode', name: 'aac-256', bitRate: 256_000 })
  })
})

test('one channel gets half the bits', () => {
  expect(names({ ...wav, channels: 1 })).toEqual(['aac-160', 'aac-96', 'flac'])
})

describe('for any source', () => {
  const source = fc.record({
    codec: fc.constantFrom('mp3', 'aac', 'vorbis', 'opus'),
    profile: fc.constantFrom('LC', 'HE-AAC', undefined),
    sampleRateHz: fc.constantFrom(8_000, 22_050, 32_000, 44_100, 48_000, 96_000),
    channels: fc.integer({ min: 1, max: 8 }),
    lossless: fc.constant(false),
    bitsPerSample: fc.constant(24),
    bitRate: fc.integer({ min: 6_000, max: 1_000_000 }),
    durationMs: fc.constant(60_000),
    durationStated: fc.boolean(),
  })

  test('there is something to play, and names tell renditions apart', () => {
    fc.assert(
      fc.property(source, (any) => {
        const all = names(any)
        expect(all.length).toBeGreaterThan(0)
        expect(new Set(all).size).toBe(all.length)
      }),
    )
  })

  test('no rendition is encoded with more bits than the source holds', () => {
    fc.assert(
      fc.property(source, (any) => {
        const held = any.profile === 'HE-AAC' && any.codec === 'aac' ? any.bitRate * 2 : any.bitRate
        for (const { method, bitRate } of planRenditions(any)) {
          // Less than 32 kbit/s is not worth encoding, whatever the source is.
          if (method === 'encode') expect(bitRate).toBeLessThanOrEqual(Math.max(held, 32_000))
        }
      }),
    )
  })
})
