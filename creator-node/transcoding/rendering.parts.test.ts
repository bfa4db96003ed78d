import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cidOf } from '@hexachord/protocol/cids'
import { encodeManifest, encodeRendition, loadTrack, type Rendition } from '@hexachord/protocol/manifests'
import { mediaPlaylist } from '@hexachord/protocol/playlists'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { decodedHash, decodedSamples, ffmpeg, makeMusic } from '../fixtures/test-music.ts'
import {
  type AudioSource,
  createFfmpeg,
  measureDuration,
  planRenditions,
  probe,
  type RenditionPlan,
  renderRendition,
} from './index.ts'

/** Three segments, of which the last is short. */
const seconds = 14
let folder: string
const program = createFfmpeg()
const signal = AbortSignal.timeout(300_000)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-rendering-'))
})
afterAll(() => rm(folder, { recursive: true }))

const look = (input: string) =>
  probe(input, {
    signal,
    measureDuration: () => measureDuration({ ffmpeg: program, input, timeoutMs: 30_000, signal }),
  })

/** Blocks of a rendition as they would be stored, in the order in which they came. */
type Rendered = { rendition: Rendition; blocks: Map<string, Uint8Array>; progress: number[] }

async function render(input: string, plan: RenditionPlan, source: AudioSource): Promise<Rendered> {
  const blocks = new Map<string, Uint8Array>()
  const progress: number[] = []
  const rendition = await renderRendition({
    ...{ ffmpeg: program, input, plan, signal, durationMs: source.durationMs, timeoutMs: 60_000 },
    directory: join(folder, 'work', plan.name),
    async store(bytes) {
      const cid = await cidOf(bytes, 'raw')
      blocks.set(cid, bytes)
      return cid
    },
    onProgress: ({ segments }) => progress.push(segments),
  })
  return { rendition, blocks, progress }
}

/** Writes a rendition with the playlist that players get, and decodes it from its first to its last sample. */
async function playable(name: string, { rendition, blocks }: Rendered): Promise<string> {
  const directory = join(folder, name)
  await mkdir(directory, { recursive: true })
  for (const [cid, bytes] of blocks) await writeFile(join(directory, `${cid}.mp4`), bytes)
  const bytes = encodeRendition(rendition)
  const cid = await cidOf(bytes, 'dag-json')
  const manifest = encodeManifest({
    v: 1,
    kind: 'track',
    durationMs: Math.round((ticksOf(rendition) * 1000) / rendition.timescale),
    renditions: [{ '/': cid }],
  })
  const track = await loadTrack(await cidOf(manifest, 'dag-json'), async (wanted) =>
    wanted === cid ? bytes : manifest,
  )
  const uri = (block: string) => `${block}.mp4`
  await writeFile(
    join(directory, 'playlist.m3u8'),
    mediaPlaylist(track, 0, { segmentUri: uri, initUri: uri }),
  )
  return join(directory, 'playlist.m3u8')
}

function ticksOf({ segments }: Rendition): number {
  return segments.reduce((sum, [ticks]) => sum + ticks, 0)
}

/** The file in all its renditions, each decoded end to end. */
async function renderAll(input: string) {
  const source = await look(input)
  const rendered = new Map<string, Rendered & { playlist: string; plan: RenditionPlan }>()
  for (const plan of planRenditions(source)) {
    const made = await render(input, plan, source)
    const playlist = await playable(`${source.codec}-${plan.name}`, made)
    rendered.set(plan.name, { ...made, playlist, plan })
    const { sampleRateHz, timescale } = made.rendition
    const declared = (ticksOf(made.rendition) * sampleRateHz) / timescale
    // An AAC frame has 1,024 samples; the last one may be partly silence that its duration leaves out.
    expect(Math.abs((await decodedSamples(playlist)) - declared)).toBeLessThanOrEqual(1024)
  }
  return { source, rendered }
}

describe('renditions', () => {
  test('of a WAV are the ladder and a FLAC with every sample of the source', async () => {
    const input = await makeMusic(folder, 'song.wav', { options: ['-c:a', 'pcm_s16le'] })
    const { rendered } = await renderAll(input)
    expect([...rendered.keys()]).toEqual(['aac-160', 'aac-320', 'aac-96', 'flac'])
    const flac = rendered.get('flac')
    expect(flac?.rendition).toMatchObject({ codec: 'fLaC', sampleRateHz: 44_100, channels: 2 })
    expect(await decodedHash(flac?.playlist ?? '')).toBe(await decodedHash(input))
    const aac = rendered.get('aac-160')?.rendition
    expect(aac).toMatchObject({ codec: 'mp4a.40.2', channels: 2, timescale: 44_100 })
    expect(aac?.averageBandwidth).toBeGreaterThan(140_000)
    expect(aac?.averageBandwidth).toBeLessThan(170_000)
    expect(aac?.segments).toHaveLength(4)
  }, 60_000)

  test('of a FLAC begin with its own frames', async () => {
    const input = await makeMusic(folder, 'song.flac', { seconds })
    const { rendered } = await renderAll(input)
    const [first] = rendered.values()
    expect(first?.plan).toMatchObject({ name: 'flac', method: 'copy' })
    expect(await decodedHash(first?.playlist ?? '')).toBe(await decodedHash(input))
  }, 60_000)

  test('of AAC are its own frames, bit by bit as ffmpeg copies them, and less', async () => {
    const input = await makeMusic(folder, 'song.m4a', { seconds, options: ['-c:a', 'aac', '-b:a', '256k'] })
    const { rendered } = await renderAll(input)
    const [first] = rendered.values()
    expect(first?.plan.method).toBe('copy')
    const bare = join(folder, 'bare')
    await mkdir(bare)
    await ffmpeg([
      ...['-i', input, '-c', 'copy', '-f', 'hls', '-hls_time', '6', '-hls_playlist_type', 'vod'],
      ...['-hls_segment_type', 'fmp4', '-hls_segment_options', 'movflags=+skip_sidx'],
      ...['-hls_segment_filename', join(bare, '%05d.m4s'), join(bare, 'p.m3u8')],
    ])
    const segments = (await readdir(bare)).filter((name) => name.endsWith('.m4s')).sort()
    const expected = await Promise.all(
      segments.map(async (name) => cidOf(await readFile(join(bare, name)), 'raw')),
    )
    expect(first?.rendition.segments.map(([, , link]) => link['/'])).toEqual(expected)
  }, 60_000)

  test('of AAC in a bare stream are copied, too', async () => {
    const { rendered } = await renderAll(
      await makeMusic(folder, 'song.aac', { seconds, options: ['-c:a', 'aac', '-b:a', '128k'] }),
    )
    expect([...rendered.values()].map(({ plan }) => plan.method)).toEqual(['copy', 'encode'])
  }, 60_000)

  test('of an MP3 are AAC that is no larger', async () => {
    const input = await makeMusic(folder, 'song.mp3', { seconds, options: ['-b:a', '128k'] })
    const { rendered } = await renderAll(input)
    expect([...rendered.keys()]).toEqual(['aac-128', 'aac-96'])
    for (const { rendition } of rendered.values()) expect(rendition.codec).toBe('mp4a.40.2')
  }, 60_000)

  test('of one channel have one channel', async () => {
    const input = await makeMusic(folder, 'mono.wav', { seconds, options: ['-ac', '1'] })
    const { rendered } = await renderAll(input)
    for (const { rendition } of rendered.values()) expect(rendition.channels).toBe(1)
    expect(await decodedHash(rendered.get('flac')?.playlist ?? '')).toBe(await decodedHash(input))
  }, 60_000)

  test('of 24 bits and 96 kHz have 24 bits at 48 kHz, in segments that fit into blocks', async () => {
    const options = ['-c:a', 'flac', '-sample_fmt', 's32']
    const input = await makeMusic(folder, 'fine.flac', { seconds, sampleRateHz: 96_000, options })
    const { source, rendered } = await renderAll(input)
    expect(source).toMatchObject({ bitsPerSample: 24, sampleRateHz: 96_000 })
    const flac = rendered.get('flac')
    expect(flac?.rendition.sampleRateHz).toBe(48_000)
    expect(await decodedHash(flac?.playlist ?? '', ['-c:a', 'pcm_s24le'])).not.toBe(
      await decodedHash(flac?.playlist ?? '', ['-af', 'aformat=sample_fmts=s16', '-c:a', 'pcm_s24le']),
    )
    for (const { blocks } of rendered.values()) {
      for (const bytes of blocks.values()) expect(bytes.length).toBeLessThanOrEqual(1 << 20)
    }
  }, 60_000)

  test('of an m4a with its index at the end are the same as of any other', async () => {
    const input = await makeMusic(folder, 'index-last.m4a', { seconds, options: ['-c:a', 'aac'] })
    const bytes = await readFile(input)
    expect(bytes.indexOf('moov', 0, 'latin1')).toBeGreaterThan(bytes.indexOf('mdat', 0, 'latin1'))
    const { rendered } = await renderAll(input)
    expect([...rendered.values()][0]?.plan.method).toBe('copy')
  }, 60_000)

  test('of a video are its sound', async () => {
    const input = join(folder, 'film.mp4')
    await ffmpeg([
      ...['-f', 'lavfi', '-i', 'testsrc=size=64x64:d=8', '-f', 'lavfi', '-i', 'sine=d=8:sample_rate=44100'],
      ...['-c:v', 'mpeg4', '-c:a', 'aac', input],
    ])
    const { rendered } = await renderAll(input)
    for (const { rendition } of rendered.values()) expect(rendition.channels).toBe(1)
  }, 60_000)

  test('of one channel at 8 kHz play', async () => {
    const options = ['-ac', '1']
    const { rendered } = await renderAll(
      await makeMusic(folder, 'telephone.wav', { seconds: 8, sampleRateHz: 8_000, options }),
    )
    for (const { rendition } of rendered.values()) expect(rendition).toMatchObject({ channels: 1 })
  }, 60_000)

  test('of eight channels at 192 kHz and 24 bits are stereo that plays', async () => {
    const around = 'pan=7.1|FL=c0|FR=c1|FC=c0|LFE=c0|BL=c0|BR=c1|SL=c0|SR=c1'
    const input = await makeMusic(folder, 'studio.wav', {
      ...{ seconds: 8, sampleRateHz: 192_000 },
      options: ['-af', around, '-c:a', 'pcm_s24le'],
    })
    const { source, rendered } = await renderAll(input)
    expect(source).toMatchObject({ channels: 8, sampleRateHz: 192_000, bitsPerSample: 24 })
    for (const { rendition, blocks } of rendered.values()) {
      expect(rendition).toMatchObject({ channels: 2, sampleRateHz: 48_000 })
      for (const bytes of blocks.values()) expect(bytes.length).toBeLessThanOrEqual(1 << 20)
    }
  }, 60_000)

  test('of six channels at 8 kHz are stereo that plays', async () => {
    const input = await makeMusic(folder, 'round.wav', {
      ...{ seconds: 8, sampleRateHz: 8_000 },
      options: ['-af', 'pan=5.1|FL=c0|FR=c1|FC=c0|LFE=c0|BL=c0|BR=c1'],
    })
    const { source, rendered } = await renderAll(input)
    expect(source.channels).toBe(6)
    for (const { rendition } of rendered.values()) {
      expect(rendition).toMatchObject({ channels: 2, sampleRateHz: 48_000 })
    }
  }, 60_000)
})

describe('a rendition under way', () => {
  test('hands over segments before ffmpeg has ended, and clears its folder', async () => {
    const input = await makeMusic(folder, 'long.wav', { seconds: 60 })
    const source = await look(input)
    const plan = planRenditions(source).find(({ name }) => name === 'aac-320')
    if (plan === undefined) throw new Error('no plan')
    const files: number[] = []
    const directory = join(folder, 'watched')
    await renderRendition({
      ...{ ffmpeg: program, input, plan, signal, directory, durationMs: 60_000, timeoutMs: 60_000 },
      async store(bytes) {
        files.push((await readdir(directory)).filter((name) => name.endsWith('.m3u8')).length)
        return cidOf(bytes, 'raw')
      },
    })
    // ffmpeg writes its playlist at the very end: the first segments were stored before.
    expect(files.slice(0, 4)).toEqual([0, 0, 0, 0])
    await expect(readdir(directory)).rejects.toThrow('ENOENT')
  }, 60_000)

  test('ends when it is aborted, and leaves no process and no file', async () => {
    const input = await makeMusic(folder, 'abort.wav', { seconds: 120 })
    const source = await look(input)
    const abort = new AbortController()
    const directory = join(folder, 'aborted')
    const [plan] = planRenditions(source)
    if (plan === undefined) throw new Error('no plan')
    const rendering = renderRendition({
      ...{ ffmpeg: program, input, plan, directory, durationMs: 120_000, timeoutMs: 60_000 },
      signal: abort.signal,
      async store(bytes) {
        abort.abort(new Error('enough'))
        return cidOf(bytes, 'raw')
      },
    })
    await expect(rendering).rejects.toThrow('enough')
    await expect(readdir(directory)).rejects.toThrow('ENOENT')
  }, 60_000)

  test('fails when its blocks cannot be stored', async () => {
    const input = await makeMusic(folder, 'full.wav', { seconds: 20 })
    const source = await look(input)
    const [plan] = planRenditions(source)
    if (plan === undefined) throw new Error('no plan')
    const rendering = renderRendition({
      ...{ ffmpeg: program, input, plan, signal, durationMs: 20_000, timeoutMs: 60_000 },
      directory: join(folder, 'full'),
      store: () => Promise.reject(new Error('the disk is full')),
    })
    await expect(rendering).rejects.toThrow('the disk is full')
  }, 60_000)
})
