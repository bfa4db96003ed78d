import path from 'node:path'
import type { Track } from '@hexachord/protocol/rest'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { type Bridge, startBridge } from '@hexachord/sdk/bridge'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { decodedMs, makeRecording, runProgram } from '../network/recordings.ts'
import { program, whyMissing } from './debian.ts'

const mpv = await program('mpv')
const ffplay = await program('ffplay', 'ffmpeg')
const ffprobe = await program('ffprobe', 'ffmpeg')

const network = testNetwork()
const seconds = 10
let folder: TemporaryFolder
let artist: Artist
let track: Track
let bridge: Bridge

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'for players', seconds })
  ;({ track } = await artist.release(file))
  bridge = await startBridge(artist.connection)
}, 60_000)
afterAll(async () => {
  await bridge?.close()
  await folder?.remove()
})

const places = [
  ['discovery', () => `${network.urls.discovery}/v1/tracks/${track.id}/stream`],
  ['a holder', () => `${network.urls.content[0]}/hls/${track.manifest}/master.m3u8`],
  ['the bridge of the SDK', () => bridge.urlOf(track.id)],
  ['discovery as one file', () => `${network.urls.discovery}/v1/tracks/${track.id}/stream?format=file`],
] as const

describe(`mpv${whyMissing(mpv)}`, () => {
  const run = 'path' in mpv ? test : test.skip
  run.each(places)('plays what %s gives it, to the end', async (_, url) => {
    const heard = path.join(folder.path, `${crypto.randomUUID()}.wav`)
    const options = ['--no-config', '--no-terminal', '--no-video', '--ao=pcm', `--ao-pcm-file=${heard}`]
    await runProgram('mpv', [...options, url()])
    expect(Math.abs((await decodedMs(heard)) - seconds * 1000)).toBeLessThan(250)
  })
})

describe(`ffplay${whyMissing(ffplay)}`, () => {
  const run = 'path' in ffplay ? test : test.skip
  run.each([
    ['the stream', () => places[0][1]()],
    ['one file', () => places[3][1]()],
  ])('plays %s in its own time and ends by itself', async (_, url) => {
    const startMs = performance.now()
    await runProgram('env', [
      ...['SDL_AUDIODRIVER=dummy', 'SDL_VIDEODRIVER=dummy'],
      ...['ffplay', '-nodisp', '-autoexit', '-loglevel', 'error', url()],
    ])
    const tookMs = performance.now() - startMs
    expect(tookMs).toBeGreaterThan((seconds - 1) * 1000)
    expect(tookMs).toBeLessThan((seconds + 15) * 1000)
  })
})

describe(`ffprobe${whyMissing(ffprobe)}`, () => {
  const run = 'path' in ffprobe ? test : test.skip
  run('reads from the playlist what was published', async () => {
    const asked = [
      '-show_entries',
      'program_stream=codec_name,channels,sample_rate:format=duration',
      '-of',
      'json',
    ]
    const { output } = await runProgram('ffprobe', [
      '-v',
      'error',
      '-http_persistent',
      '0',
      ...asked,
      places[1][1](),
    ])
    const { programs, format } = JSON.parse(output) as {
      programs: { streams: { codec_name: string; channels: number; sample_rate: string }[] }[]
      format: { duration: string }
    }
    const streams = programs.flatMap((each) => each.streams)
    expect(new Set(streams.map(({ codec_name }) => codec_name))).toEqual(new Set(['aac', 'flac']))
    for (const { channels, sample_rate } of streams) {
      expect({ channels, sample_rate }).toEqual({ channels: 2, sample_rate: '44100' })
    }
    expect(Math.abs(Number(format.duration) - seconds)).toBeLessThan(0.3)
  })
})
