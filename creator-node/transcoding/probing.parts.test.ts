import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { cutShort, ffmpeg, makeMusic } from '../fixtures/test-music.ts'
import { createFfmpeg, measureDuration, probe } from './index.ts'

let folder: string
const program = createFfmpeg()
const signal = AbortSignal.timeout(300_000)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-probing-'))
})
afterAll(() => rm(folder, { recursive: true }))

const look = (input: string) =>
  probe(input, {
    signal,
    measureDuration: () => measureDuration({ ffmpeg: program, input, timeoutMs: 30_000, signal }),
  })

describe('what a file holds', () => {
  test.each([
    ['wav', ['-c:a', 'pcm_s16le'], { codec: 'pcm_s16le', lossless: true, bitsPerSample: 16 }],
    ['flac', ['-c:a', 'flac', '-sample_fmt', 's16'], { codec: 'flac', lossless: true, bitsPerSample: 16 }],
    ['mp3', ['-b:a', '128k'], { codec: 'mp3', lossless: false, bitRate: 128_000 }],
    ['m4a', ['-c:a', 'aac', '-b:a', '256k'], { codec: 'aac', profile: 'LC', lossless: false }],
    ['ogg', ['-c:a', 'libvorbis'], { codec: 'vorbis', lossless: false }],
    ['opus', ['-c:a', 'libopus'], { codec: 'opus', sampleRateHz: 48_000, lossless: false }],
  ])('is seen in %s', async (extension, options, expected) => {
    const source = await look(await makeMusic(folder, `probed.${extension}`, { seconds: 3, options }))
    expect(source).toMatchObject({ sampleRateHz: 44_100, channels: 2, durationStated: true, ...expected })
    expect(Math.abs(source.durationMs - 3_000)).toBeLessThan(60)
  })

  test('is seen although its name lies', async () => {
    const path = await makeMusic(folder, 'honest.flac', { seconds: 1 })
    await writeFile(join(folder, 'lying.mp3'), await readFile(path))
    expect(await look(join(folder, 'lying.mp3'))).toMatchObject({ codec: 'flac' })
  })

  test('is measured where nothing in the file says how long it is', async () => {
    const path = await makeMusic(folder, 'whole.mka', { seconds: 3, options: ['-c:a', 'flac', '-live', '1'] })
    const source = await look(path)
    expect(source.durationStated).toBe(false)
    expect(Math.abs(source.durationMs - 3_000)).toBeLessThan(10)
  })

  test('is found under a picture', async () => {
    const path = join(folder, 'video.mp4')
    await ffmpeg([
      ...['-f', 'lavfi', '-i', 'testsrc=size=64x64:d=1', '-f', 'lavfi', '-i', 'sine=d=1'],
      ...['-c:v', 'mpeg4', '-c:a', 'aac', path],
    ])
    expect(await look(path)).toMatchObject({ codec: 'aac', channels: 1 })
  })

  test('may be ten hours, and 3 GiB', async () => {
    expect(await look(await silence('long.wav', { seconds: 36_000 }))).toMatchObject({
      durationMs: 36_000_000,
    })
    const large = await silence('large.wav', { seconds: 2_796, sampleRateHz: 192_000, bits: 24, channels: 2 })
    expect(await look(large)).toMatchObject({ codec: 'pcm_s24le', channels: 2, durationMs: 2_796_000 })
  })

  const refusals: [string, () => Promise<string>, string][] = [
    ['ten hours and a second', () => silence('longer.wav', { seconds: 36_001 }), 'tooLong'],
    ['nothing', () => written('empty.mp3', ''), 'emptyFile'],
    ['a text', () => written('text.mp3', 'this is no music\n'.repeat(500)), 'notAudio'],
    [
      'a playlist that names other files of this machine',
      () => written('list.mp3', '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/hostname\n'),
      'notAudio',
    ],
    [
      'a script that joins other files of this machine',
      () => written('list.wav', 'ffconcat version 1.0\nfile /etc/hostname\n'),
      'notAudio',
    ],
    ['pictures without sound', silentVideo, 'noAudio'],
    ['the beginning of a WAV and nothing else', () => written('head.wav', 'RIFF'), 'undecodable'],
    ['an m4a without the index at its end', cutM4a, 'truncated'],
    [
      'a header without a sample',
      () => makeMusic(folder, 'header.wav', { seconds: 1, options: ['-t', '0'] }),
      'emptyFile',
    ],
  ]
  test.each(refusals)('is refused for %s', async (_, make, problem) => {
    await expect(look(await make())).rejects.toMatchObject({ name: 'SourceError', problem })
  })

  async function written(name: string, text: string): Promise<string> {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  async function silentVideo(): Promise<string> {
    await ffmpeg(['-f', 'lavfi', '-i', 'testsrc=size=64x64:d=1', '-c:v', 'mpeg4', join(folder, 'silent.mp4')])
    return join(folder, 'silent.mp4')
  }
  /** A WAV file (RFC 2361) of which only the header takes room on the disk. */
  async function silence(
    name: string,
    format: { seconds: number; sampleRateHz?: number; bits?: number; channels?: number },
  ): Promise<string> {
    const { seconds, sampleRateHz = 8_000, bits = 8, channels = 1 } = format
    const frame = (bits / 8) * channels
    const header = Buffer.alloc(44)
    header.write('RIFF', 0, 'latin1')
    header.writeUInt32LE(36 + seconds * sampleRateHz * frame, 4)
    header.write('WAVEfmt ', 8, 'latin1')
    header.writeUInt32LE(16, 16)
    header.writeUInt16LE(1, 20)
    header.writeUInt16LE(channels, 22)
    header.writeUInt32LE(sampleRateHz, 24)
    header.writeUInt32LE(sampleRateHz * frame, 28)
    header.writeUInt16LE(frame, 32)
    header.writeUInt16LE(bits, 34)
    header.write('data', 36, 'latin1')
    header.writeUInt32LE(seconds * sampleRateHz * frame, 40)
    await writeFile(join(folder, name), header)
    await truncate(join(folder, name), 44 + seconds * sampleRateHz * frame)
    return join(folder, name)
  }
  async function cutM4a(): Promise<string> {
    const whole = await makeMusic(folder, 'to-cut.m4a', { seconds: 5, options: ['-c:a', 'aac'] })
    return cutShort(whole, join(folder, 'cut.m4a'), 0.7)
  }
})
