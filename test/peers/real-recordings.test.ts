import path from 'node:path'
import { playTrack } from '@hexachord/cli/playing'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { UploadFailed } from '@hexachord/sdk/uploading'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { wholeTrackOf } from '../network/node-blocks.ts'
import { decodedMs, runProgram } from '../network/recordings.ts'
import { packageFiles, whyMissing } from './debian.ts'

// Music that people made and gave away, taken from the packages of Debian while the tests run; none of it is kept
// in this repository. Their copyright files say:
// - ardentryst, Music/*: 2007-2009 Jordan Trudgett, CC BY-SA 3.0 (Ogg Vorbis, 44.1 kHz)
// - hyperrogue-music, music/hr-savino-*: Will Savino, CC BY-SA 3.0 (Ogg Vorbis)
// - asc-music: 2002 Michael Kievernagel, GPL 2 or later (MP3, 22.05 kHz)
const packages = {
  ardentryst: await packageFiles('ardentryst'),
  'asc-music': await packageFiles('asc-music'),
  'hyperrogue-music': await packageFiles('hyperrogue-music'),
}
const music = 'usr/share/games/ardentryst/Music'

const recordings = [
  {
    title: 'A theme',
    from: 'ardentryst',
    file: `${music}/theme1.ogg`,
    seconds: 45,
    licence: 'CC-BY-SA-3.0',
    artist: 'Jordan Trudgett',
  },
  {
    title: 'A battle',
    from: 'ardentryst',
    file: `${music}/battle2.ogg`,
    seconds: 30,
    licence: 'CC-BY-SA-3.0',
    artist: 'Jordan Trudgett',
  },
  {
    title: 'A story, whole',
    from: 'ardentryst',
    file: `${music}/Story.ogg`,
    seconds: undefined,
    licence: 'CC-BY-SA-3.0',
    artist: 'Jordan Trudgett',
  },
  {
    title: 'Frontiers',
    from: 'asc-music',
    file: 'usr/share/games/asc/music/frontiers.mp3',
    seconds: 60,
    licence: 'GPL-2.0-or-later',
    artist: 'Michael Kievernagel',
  },
] as const

const network = testNetwork()
let folder: TemporaryFolder
let artist: Artist

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
})
afterAll(() => folder?.remove())

/** The first seconds of a recording, its bytes as they are, or all of it. */
async function excerpt(source: string, seconds: number | undefined): Promise<string> {
  if (seconds === undefined) return source
  const file = path.join(folder.path, `${crypto.randomUUID()}${path.extname(source)}`)
  await runProgram('ffmpeg', ['-v', 'error', '-t', String(seconds), '-i', source, '-c', 'copy', file])
  return file
}

/** How loud it is on the whole, in dBFS: another recording, or a broken one, is seldom as loud. */
async function loudness(input: string): Promise<number> {
  const { complaint } = await runProgram('ffmpeg', [
    '-nostdin',
    '-i',
    input,
    '-af',
    'volumedetect',
    '-f',
    'null',
    '-',
  ])
  return Number(/mean_volume: (-?[\d.]+) dB/.exec(complaint)?.[1])
}

describe('a real recording', () => {
  for (const { title, from, file, seconds, licence, artist: by } of recordings) {
    const files = packages[from]
    const run = 'path' in files ? test : test.skip
    run(
      `${title}, from ${from}, is published, held three times, and heard as it was made${whyMissing(files)}`,
      async () => {
        const source = await excerpt(path.join('path' in files ? files.path : '', file), seconds)
        const sourceMs = await decodedMs(source)
        const { upload, track } = await artist.release(source, { title, artist: by, licence })
        expect(upload.source?.lossless).toBe(false)
        expect(upload.receipts).toHaveLength(3)
        expect(track.holders).toHaveLength(3)
        for (const { endpoint } of track.holders) {
          const { storage } = await wholeTrackOf(endpoint, track.manifest)
          expect(storage.root).toBe(track.storageRoot)
        }
        const report = await playTrack(artist.connection, track, { output: 'null' })
        expect(report.hashFailures).toBe(0)
        expect(Math.abs((report.decodedMs ?? 0) - sourceMs)).toBeLessThan(300)
        const stream = `${network.urls.discovery}/v1/tracks/${track.id}/stream`
        expect(Math.abs((await loudness(stream)) - (await loudness(source)))).toBeLessThan(0.5)
      },
    )
  }
})

describe('a recording that other decoders read and ffmpeg does not', () => {
  const files = packages['hyperrogue-music']
  const run = 'path' in files ? test : test.skip
  run.each(['ocean', 'ivory', 'caribbean'])(
    `hr-savino-%s is refused with what its artist can do${whyMissing(files)}`,
    async (name) => {
      const folderOf = 'path' in files ? files.path : ''
      const file = path.join(folderOf, `usr/share/hyperrogue/music/hr-savino-${name}.ogg`)
      const failure = await artist.upload(file).then(
        () => undefined,
        (error: unknown) => error,
      )
      // A newer ffmpeg may well read them: then they are tracks like any other.
      const decoded = await decodedMs(file).catch(() => undefined)
      if (decoded !== undefined) expect(failure).toBeUndefined()
      else {
        if (!(failure instanceof UploadFailed)) throw failure
        expect(failure.upload).toMatchObject({ state: 'failed', problem: 'undecodable', track: null })
        expect(failure.message).toMatch(/save it as FLAC or WAV/)
      }
    },
  )
})
