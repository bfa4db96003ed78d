import { randomFillSync } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cidOf, linkTo } from '@hexachord/protocol/cids'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { ffmpeg, makeMusic } from '../fixtures/test-music.ts'
import { createCpuSlots } from '../jobs/index.ts'
import { readInitSection, segmentTicks } from '../transcoding/fmp4/index.ts'
import { createFfmpeg, SourceError } from '../transcoding/index.ts'
import { checkSound } from './check-sound.ts'

jest.setTimeout(60_000)

let folder: string
let song: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-sound-'))
  song = await makeMusic(folder, 'song.wav', { seconds: 13 })
})
afterAll(() => rm(folder, { recursive: true }))

/** Cuts the song, and checks it as if it came from elsewhere. @param damage of each segment */
async function check(codec: string, damage: (segment: Buffer) => void): Promise<void> {
  const directory = await mkdtemp(join(folder, `${codec}-`))
  const cutting = ['-f', 'hls', '-hls_time', '6', '-hls_playlist_type', 'vod', '-hls_segment_type', 'fmp4']
  const names = ['-hls_fmp4_init_filename', 'init.mp4', '-hls_segment_filename', join(directory, '%d.m4s')]
  const options = ['-c:a', codec, '-strict', '-2', ...cutting, ...names]
  await ffmpeg(['-i', song, ...options, join(directory, 'list.m3u8')])
  const blocks = new Map<string, Uint8Array>()
  const keep = async (bytes: Buffer) => {
    const cid = await cidOf(bytes, 'raw')
    blocks.set(cid, bytes)
    return { data: linkTo(cid), byteLength: bytes.length }
  }
  const initBytes = await readFile(join(directory, 'init.mp4'))
  const { timescale, defaultSampleTicks } = readInitSection(initBytes)
  const init = await keep(initBytes)
  const files = (await readdir(directory)).filter((file) => file.endsWith('.m4s')).sort()
  const segments: [number, number, { '/': string }][] = []
  for (const file of files) {
    const bytes = await readFile(join(directory, file))
    const ticks = segmentTicks(bytes, defaultSampleTicks)
    damage(bytes)
    const { data, byteLength } = await keep(bytes)
    segments.push([ticks, byteLength, data])
  }
  await checkSound(
    [{ init, segments, timescale, cid: 'the-rendition' }],
    async (cid) => blocks.get(cid) ?? new Uint8Array(),
    { id: 'one', workDirectory: directory, ffmpeg: createFfmpeg(), slots: createCpuSlots(1) },
    new AbortController().signal,
  )
}

/** All that stands in the boxes of data (ISO/IEC 14496-12 8.1.1), and none of the boxes. */
function fillWithNoise(segment: Buffer): void {
  for (let at = 0; at < segment.length; ) {
    const length = segment.readUInt32BE(at)
    if (segment.toString('latin1', at + 4, at + 8) === 'mdat') {
      randomFillSync(segment, at + 8, length - 8)
    }
    at += length
  }
}

describe.each(['aac', 'flac'])('%s from elsewhere', (codec) => {
  test('is taken when it can be decoded as a whole', async () => {
    await expect(check(codec, () => undefined)).resolves.toBeUndefined()
  })

  test('is refused when its frames hold noise, be they ever so well-formed', async () => {
    const checking = check(codec, fillWithNoise)
    await expect(checking).rejects.toThrow(SourceError)
    await expect(checking).rejects.toMatchObject({ problem: 'undecodable' })
  })

  test('is refused when one segment of it is noise', async () => {
    let segments = 0
    const checking = check(codec, (segment) => {
      segments += 1
      if (segments === 2) fillWithNoise(segment)
    })
    await expect(checking).rejects.toMatchObject({ problem: 'undecodable' })
  })
})
