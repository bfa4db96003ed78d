import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { makeSampleTrack, sampleTags } from './index.ts'
import { compose, type Note } from './score.ts'
import { sampleRate, synthesise } from './synthesise.ts'
import { encodeWav } from './wav.ts'

const run = promisify(execFile)

describe('the score', () => {
  test('is about two and a half minutes of a song: intro, verses, choruses, a bridge, an outro', () => {
    const { sections, beats, beatsPerMinute } = compose(6)
    expect(sections.map((section) => section.name)).toEqual([
      ...['intro', 'verse', 'chorus', 'verse', 'bridge', 'chorus', 'outro'],
    ])
    expect((beats / beatsPerMinute) * 60).toBe(150)
  })

  test('is the same for the same seed and another for another', () => {
    expect(compose(6)).toEqual(compose(6))
    expect(compose(6)).not.toEqual(compose(7))
  })

  test('of any seed keeps to its bars and to pitches that sound well', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { notes, beats } = compose(seed)
        const isSound = ({ instrument, beat, beats: length, pitch, strength }: Note) =>
          beat >= 0 &&
          beat < beats &&
          length > 0 &&
          strength > 0 &&
          strength <= 1 &&
          (instrument !== 'lead' || (pitch >= 64 && pitch <= 86)) &&
          (instrument !== 'bass' || pitch < 52)
        expect(notes.filter((note) => !isSound(note))).toEqual([])
        const melody = new Set(notes.filter((note) => note.instrument === 'lead').map((note) => note.pitch))
        expect(melody.size).toBeGreaterThanOrEqual(4)
      }),
      { numRuns: 50 },
    )
  })
})

describe('the sound', () => {
  const music = synthesise(compose(6, 'short'), 6)

  test('has the same bytes each time', () => {
    const digest = (sound: typeof music) =>
      createHash('sha256').update(encodeWav(sound, sampleRate)).digest('hex')
    expect(digest(synthesise(compose(6, 'short'), 6))).toBe(digest(music))
  })

  test('never reaches full scale, begins and ends in silence, and is not the same on both sides', () => {
    const highest = [...music.left].reduce((peak, value) => Math.max(peak, Math.abs(value)), 0)
    expect(highest).toBeGreaterThan(0.5)
    expect(highest).toBeLessThan(0.9)
    expect(Math.abs(music.left[0] ?? 1)).toBe(0)
    expect(Math.abs(music.right.at(-1) ?? 1)).toBe(0)
    const difference = music.left.reduce(
      (sum, value, index) => sum + Math.abs(value - (music.right[index] ?? 0)),
      0,
    )
    expect(difference / music.left.length).toBeGreaterThan(0.005)
  })

  test('is made of lows, middles and highs, and changes from second to second', () => {
    const second = (at: number) => music.left.subarray(at * sampleRate, (at + 1) * sampleRate)
    for (const [lowHz, highHz] of [
      [30, 120],
      [200, 2_000],
      [6_000, 12_000],
    ] as const) {
      expect(energyBetween(second(6), lowHz, highHz)).toBeGreaterThan(1e-9)
    }
    const steps = Array.from({ length: 12 }, (_, at) => energyBetween(second(at + 3), 200, 2_000))
    expect(Math.max(...steps) / Math.min(...steps)).toBeGreaterThan(1.3)
  })
})

describe('the sample track', () => {
  let folder: TemporaryFolder
  let file: string
  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    file = await makeSampleTrack({ directory: folder.path, signal: AbortSignal.timeout(120_000) })
  }, 120_000)
  afterAll(() => folder.remove())

  test('is a stereo FLAC with tags, licence and cover', async () => {
    const { stdout } = await run('ffprobe', [
      '-v',
      'error',
      '-show_format',
      '-show_streams',
      '-of',
      'json',
      file,
    ])
    const { format, streams } = JSON.parse(stdout)
    expect(Number(format.duration)).toBeCloseTo(154, 0)
    expect(format.tags).toMatchObject({
      title: sampleTags.title,
      artist: sampleTags.artist,
      license: expect.stringContaining('publicdomain/zero'),
    })
    expect(streams[0]).toMatchObject({ codec_name: 'flac', sample_rate: '44100', channels: 2 })
    expect(streams[1]).toMatchObject({
      codec_name: 'png',
      width: 1000,
      height: 1000,
      disposition: { attached_pic: 1 },
    })
  })

  test('is as loud as a published track, with quiet and loud parts, and does not clip between samples', async () => {
    const { stderr } = await run('ffmpeg', [
      ...['-nostdin', '-nostats', '-hide_banner', '-i', file, '-map', '0:a'],
      ...['-af', 'ebur128=peak=true', '-f', 'null', '-'],
    ])
    const summary = stderr.slice(stderr.lastIndexOf('Summary:'))
    const number = (name: string) => Number(new RegExp(`${name}:\\s+(-?[\\d.]+)`).exec(summary)?.[1])
    expect(number('I')).toBeGreaterThan(-18)
    expect(number('I')).toBeLessThan(-11)
    expect(number('LRA')).toBeGreaterThan(3)
    expect(number('Peak')).toBeLessThanOrEqual(-0.5)
  }, 60_000)

  test('is not made a second time, and leaves no drafts', async () => {
    expect(await makeSampleTrack({ directory: folder.path, signal: AbortSignal.abort() })).toBe(file)
    expect(await readdir(folder.path)).toHaveLength(1)
  })
})

/** Mean power in a band, by the Goertzel algorithm at twelve frequencies of it. */
function energyBetween(samples: Float32Array, lowHz: number, highHz: number): number {
  const frequencies = Array.from({ length: 12 }, (_, index) => lowHz * (highHz / lowHz) ** (index / 11))
  const powers = frequencies.map((hz) => {
    const coefficient = 2 * Math.cos((2 * Math.PI * hz) / sampleRate)
    let before = 0
    let last = 0
    for (const sample of samples) [before, last] = [last, sample + coefficient * last - before]
    return (last ** 2 + before ** 2 - coefficient * last * before) / samples.length ** 2
  })
  return powers.reduce((sum, power) => sum + power, 0) / powers.length
}
