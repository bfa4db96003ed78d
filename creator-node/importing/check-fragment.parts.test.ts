import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rendition } from '@hexachord/protocol/manifests'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import { ffmpeg, makeMusic } from '../fixtures/test-music.ts'
import { readInitSection, segmentTicks } from '../transcoding/fmp4/index.ts'
import { Fmp4Error } from '../transcoding/index.ts'
import { checkInit, checkSegment, type SampleDefaults } from './check-fragment.ts'

jest.setTimeout(60_000)

type Cut = {
  readonly init: Uint8Array
  readonly segments: readonly Uint8Array[]
  readonly rendition: Rendition
  readonly defaults: SampleDefaults
}

let folder: string
const cuts = new Map<string, Cut>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-fragments-'))
  const song = await makeMusic(folder, 'song.wav', { seconds: 13 })
  cuts.set('AAC', await cut(song, 'aac', ['-c:a', 'aac', '-b:a', '96k']))
  cuts.set('mono AAC', await cut(song, 'mono', ['-c:a', 'aac', '-ac', '1', '-ar', '48000']))
  cuts.set('FLAC', await cut(song, 'flac', ['-c:a', 'flac', '-strict', '-2']))
})
afterAll(() => rm(folder, { recursive: true }))

async function cut(input: string, name: string, options: readonly string[]): Promise<Cut> {
  const cutting = ['-f', 'hls', '-hls_time', '6', '-hls_playlist_type', 'vod', '-hls_segment_type', 'fmp4']
  const names = [
    '-hls_fmp4_init_filename',
    `${name}.mp4`,
    '-hls_segment_filename',
    join(folder, `${name}-%d.m4s`),
  ]
  await ffmpeg(['-i', input, ...options, ...cutting, ...names, join(folder, `${name}.m3u8`)])
  const init = new Uint8Array(await readFile(join(folder, `${name}.mp4`)))
  const files = (await readdir(folder)).filter((file) => file.startsWith(`${name}-`)).sort()
  const segments = await Promise.all(
    files.map(async (file) => new Uint8Array(await readFile(join(folder, file)))),
  )
  const { defaultSampleTicks: _, ...section } = readInitSection(init)
  const rendition = { ...section } as unknown as Rendition
  return { init, segments, rendition, defaults: checkInit(init, rendition) }
}

function cutOf(name: string): Cut {
  const found = cuts.get(name)
  if (found === undefined) throw new Error(`no ${name} was made`)
  return found
}

const ticksOf = (bytes: Uint8Array, { defaults }: Cut) => segmentTicks(bytes, defaults.ticks)

function check(bytes: Uint8Array, made: Cut, ticks = ticksOf(bytes, made)): void {
  checkSegment(bytes, ticks, made.rendition, made.defaults)
}

/** A box of ISO/IEC 14496-12. */
function box(type: string, body: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(8 + body.length)
  bytes.writeUInt32BE(bytes.length, 0)
  bytes.write(type, 4, 'latin1')
  bytes.set(body, 8)
  return bytes
}

describe.each([['AAC'], ['mono AAC'], ['FLAC']])('%s as ffmpeg cuts it', (name) => {
  test('is sound and nothing else', () => {
    const made = cutOf(name)
    expect(made.segments.length).toBeGreaterThanOrEqual(3)
    for (const segment of made.segments) check(segment, made)
  })

  test('is refused with anything beside it', () => {
    const made = cutOf(name)
    const [segment = new Uint8Array()] = made.segments
    const secret = new Uint8Array(5_000)
    const ticks = ticksOf(segment, made)
    for (const extra of [box('free', secret), box('mdat', secret), box('uuid', secret)]) {
      expect(() => check(Buffer.concat([segment, extra]), made, ticks)).toThrow(Fmp4Error)
    }
    expect(() => check(Buffer.concat([box('styp', new Uint8Array(50_000)), segment]), made, ticks)).toThrow(
      'more than sound',
    )
    expect(() => checkInit(Buffer.concat([made.init, box('free', secret)]), made.rendition)).toThrow(
      'no place',
    )
    expect(() => checkInit(Buffer.concat([made.init, new Uint8Array(20_000)]), made.rendition)).toThrow(
      Fmp4Error,
    )
  })

  test('is refused when the manifest says something else of it', () => {
    const made = cutOf(name)
    const [segment = new Uint8Array()] = made.segments
    expect(() => check(segment, made, ticksOf(segment, made) + 1)).toThrow('ticks')
    for (const change of [{ timescale: 1 }, { codec: 'opus' }, { channels: 8 }, { sampleRateHz: 8_000 }]) {
      expect(() => checkInit(made.init, { ...made.rendition, ...change })).toThrow('the manifest says')
    }
  })

  test('of which any bytes are others is sound of that length or refused, and nothing worse', () => {
    const made = cutOf(name)
    const segment = made.segments.at(-1) ?? new Uint8Array()
    const ticks = ticksOf(segment, made)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1500), fc.nat(255)), { maxLength: 6 }),
        fc.nat(segment.length),
        (changes, length) => {
          const damaged = segment.slice(0, Math.max(length, 8))
          for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte
          try {
            check(damaged, made, ticks)
          } catch (error) {
            expect(error).toBeInstanceOf(Fmp4Error)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

test('frames do not last for hours, whatever their own boxes say', () => {
  const made = cutOf('AAC')
  const bytes = Buffer.from(made.segments[0] ?? [])
  const header = bytes.indexOf('tfhd', 0, 'latin1') + 4
  // ISO/IEC 14496-12 8.8.7: a duration for all samples of the fragment, behind flags and track.
  expect(bytes.readUInt32BE(header) & 0x8).toBe(0x8)
  bytes.writeUInt32BE(2 ** 30, header + 8)
  expect(ticksOf(bytes, made)).toBeGreaterThan(36_000 * made.rendition.timescale)
  expect(() => check(bytes, made)).toThrow('cannot last')
})
