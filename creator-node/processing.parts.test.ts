import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { blocksOf, loadTrack } from '@hexachord/protocol/manifests'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { eventually } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { sendFile, tokenOf } from './fixtures/send-file.ts'
import { cutShort, decodedSamples, ffmpeg, makeMusic } from './fixtures/test-music.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from './fixtures/test-world.ts'

let world: TestWorld
beforeAll(async () => {
  world = await startTestWorld()
}, 60_000)
afterAll(() => world.close())

const ipfs = async (cid: string) => {
  const response = await fetch(`${world.node.origin}/ipfs/${cid}?format=raw`)
  if (response.status !== 200) throw new Error(`${cid}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

/** Sends a file and waits until it is a track. */
async function publishable(file: string): Promise<UploadAnswer> {
  const id = await sendFile(world.node, fresh(), file)
  return world.until(id, 'replicating', 'failed')
}

async function failed(file: string | Buffer): Promise<UploadAnswer> {
  return world.ended(await sendFile(world.node, fresh(), file))
}

describe('a received file', () => {
  test('becomes a track that plays from this node, with everything that was found out about it', async () => {
    const cover = join(world.folder, 'cover.png')
    await ffmpeg(['-f', 'lavfi', '-i', 'testsrc=size=600x600:d=1', '-frames:v', '1', cover])
    const bare = await makeMusic(world.folder, 'bare.mp3', { options: ['-b:a', '192k'] })
    const file = join(world.folder, 'song.mp3')
    await ffmpeg([
      ...['-i', bare, '-i', cover, '-map', '0', '-map', '1', '-c', 'copy', '-disposition:v', 'attached_pic'],
      ...[
        '-metadata',
        'title=Sechs',
        '-metadata',
        'artist=Hexachord',
        '-metadata',
        'TSRC=DEA122000001',
        file,
      ],
    ])
    const upload = await publishable(file)
    expect(upload).toMatchObject({
      state: 'replicating',
      tags: { title: 'Sechs', artist: 'Hexachord', isrc: 'DEA122000001' },
      source: { codec: 'mp3', channels: 2, lossless: false },
      renditions: [
        { name: 'aac-160', state: 'done', segments: 4 },
        { name: 'aac-96', state: 'done', segments: 4 },
      ],
    })
    const { track, playable } = upload
    if (track === null) throw new Error('no track')
    expect(playable).toBe(track.manifest)
    const loaded = await loadTrack(track.manifest, ipfs)
    expect(loaded.manifest.cover?.map(({ width }) => width)).toEqual([150, 480])
    expect(loaded.manifest.loudness?.integratedMilliLufs).toBeLessThan(0)
    expect(loaded.manifest.waveform).toBeDefined()
    expect(Math.abs(loaded.manifest.durationMs - 20_000)).toBeLessThan(60)
    const sizes = await Promise.all(blocksOf(loaded).map(async ({ cid }) => (await ipfs(cid)).length))
    expect(sizes.reduce((sum, bytes) => sum + bytes)).toBe(track.byteLength)
    const master = `${world.node.origin}/hls/${track.manifest}/master.m3u8`
    expect(Math.abs((await decodedSamples(master)) / 44_100 - 20)).toBeLessThan(0.1)
  }, 90_000)

  test('plays before it is complete: AAC at once', async () => {
    const file = await makeMusic(world.folder, 'long.m4a', {
      seconds: 60,
      options: ['-c:a', 'aac', '-b:a', '256k'],
    })
    const id = await sendFile(world.node, fresh(), file)
    const early = await eventually(() => world.node.upload(id), {
      ...{ describe: 'something plays', deadlineMs: 60_000 },
      until: ({ playable }) => playable !== null,
    })
    expect(early.renditions[0]).toMatchObject({ state: 'done', segments: 11 })
    expect(early.state).toBe('processing')
    const master = `${world.node.origin}/hls/${early.playable}/master.m3u8`
    expect(Math.abs((await decodedSamples(master)) / 44_100 - 60)).toBeLessThan(0.1)
    const upload = await world.until(id, 'replicating')
    expect(upload.renditions.map(({ state }) => state)).toEqual(['done', 'done', 'done'])
    expect(upload.playable).not.toBe(early.playable)
  }, 120_000)

  test('keeps a bad cover from nothing but being shown', async () => {
    const bare = await makeMusic(world.folder, 'uncovered.mp3', { seconds: 7, options: ['-b:a', '96k'] })
    const cover = join(world.folder, 'cover.jpg')
    await ffmpeg(['-f', 'lavfi', '-i', 'testsrc=size=300x300:d=1', '-frames:v', '1', cover])
    const cut = await cutShort(cover, join(world.folder, 'broken.jpg'), 0.3)
    const file = join(world.folder, 'broken-cover.mp3')
    await writeFile(file, await withPicture(bare, cut))
    const upload = await publishable(file)
    expect(upload.state).toBe('replicating')
    const { notes } = (await (await fetch(`${world.node.origin}/uploads/${upload.id}`)).json()) as {
      notes: string[]
    }
    expect(notes).toEqual([expect.stringContaining('the cover cannot be read')])
  }, 60_000)
})

describe('of a file that is', () => {
  test('no audio nothing is made, and the artist is told why', async () => {
    expect(await failed(Buffer.from('just words'))).toMatchObject({
      ...{ state: 'failed', problem: 'notAudio', reason: 'the file is not audio' },
      ...{ renditions: [], track: null },
    })
  }, 30_000)

  test('empty nothing is made', async () => {
    expect(await failed(Buffer.alloc(0))).toMatchObject({ state: 'failed', problem: 'emptyFile' })
  }, 30_000)

  test('cut short nothing is made, whether its header says so or only its sound', async () => {
    const flac = await makeMusic(world.folder, 'whole.flac', { options: ['-sample_fmt', 's16'] })
    const cut = await cutShort(flac, join(world.folder, 'cut.flac'), 0.5)
    expect(await failed(cut)).toMatchObject({ state: 'failed', problem: 'truncated' })
    const m4a = await makeMusic(world.folder, 'whole.m4a', { options: ['-c:a', 'aac'] })
    expect(await failed(await cutShort(m4a, join(world.folder, 'cut.m4a'), 0.5))).toMatchObject({
      ...{ state: 'failed', problem: 'truncated' },
    })
  }, 60_000)

  test('larger than the author has allowed nothing is made', async () => {
    const file = await makeMusic(world.folder, 'large.wav')
    const id = await sendFile(world.node, fresh(), file, { grant: { byteLimit: 100_000 } })
    expect(await world.ended(id)).toMatchObject({ state: 'failed', problem: 'tooLarge' })
  }, 60_000)
})

describe('work that is interrupted', () => {
  test('by a stop goes on after the start, and does nothing twice', async () => {
    const file = await makeMusic(world.folder, 'interrupted.wav', { seconds: 30 })
    const id = await sendFile(world.node, fresh(), file)
    await eventually(() => world.node.upload(id), {
      ...{ describe: 'one rendition is done and another is not', deadlineMs: 60_000 },
      until: ({ renditions }) => new Set(renditions.map(({ state }) => state === 'done')).size === 2,
    })
    const before = await world.node.upload(id)
    await world.node.stop()
    expect(await readdir(join(world.node.directory, 'work'))).toEqual([])
    const madeBefore = made(id)
    await world.node.start()
    const upload = await world.until(id, 'replicating')
    expect(upload.version).toBeGreaterThan(before.version)
    const madeAfter = made(id)
    for (const [name, cid] of madeBefore) expect(madeAfter.get(name)).toBe(cid)
    expect(madeAfter.size).toBe(4)
  }, 150_000)

  test('by a flushed Redis goes on', async () => {
    const file = await makeMusic(world.folder, 'flushed.wav', { seconds: 20 })
    const id = await sendFile(world.node, fresh(), file)
    await eventually(() => world.node.upload(id), {
      ...{ describe: 'the work has begun', deadlineMs: 30_000 },
      until: ({ renditions }) => renditions.some(({ segments }) => segments > 0),
    })
    await flushRedis()
    expect(await world.until(id, 'replicating', 'failed')).toMatchObject({ state: 'replicating' })
  }, 120_000)

  test('by the artist ends, and its blocks are let go', async () => {
    const author = fresh()
    const file = await makeMusic(world.folder, 'cancelled.wav', { seconds: 40 })
    const id = await sendFile(world.node, author, file)
    await eventually(() => world.node.upload(id), {
      ...{ describe: 'the work has begun', deadlineMs: 30_000 },
      until: ({ renditions }) => renditions.some(({ segments }) => segments > 0),
    })
    const headers = { 'Tus-Resumable': '1.0.0', Authorization: await tokenOf(author, world.node) }
    await fetch(`${world.node.origin}/uploads/${id}`, { method: 'DELETE', headers })
    expect(await world.ended(id)).toMatchObject({ state: 'cancelled' })
    await eventually(() => readdir(join(world.node.directory, 'work')), {
      ...{ describe: 'ffmpeg has stopped', deadlineMs: 15_000 },
      until: (names) => !names.includes(id),
    })
  }, 90_000)

  /** The renditions that an upload's document says are made, by name. */
  function made(id: string): Map<string, string> {
    const database = new DatabaseSync(join(world.node.directory, 'creator-node.sqlite'), { readOnly: true })
    try {
      const row = database.prepare('SELECT document FROM upload WHERE id = ?').get(id)
      const { renditions } = JSON.parse(String(row?.document)) as {
        renditions: { plan: { name: string }; made?: { cid: string } }[]
      }
      return new Map(renditions.flatMap(({ plan, made }) => (made ? [[plan.name, made.cid] as const] : [])))
    } finally {
      database.close()
    }
  }

  /** Throws this node's queues away. Others share the server, so that FLUSHALL is out of the question. */
  async function flushRedis(): Promise<void> {
    const url = new URL(process.env.REDIS_URL ?? '')
    const run = promisify(execFile)
    const server = ['-h', url.hostname, '-p', url.port, ...(url.password === '' ? [] : ['-a', url.password])]
    const { stdout } = await run('redis-cli', [
      ...server,
      '--scan',
      '--pattern',
      `hexachord:*${world.node.operator}*`,
    ])
    const keys = stdout.split('\n').filter((key) => key !== '')
    expect(keys.length).toBeGreaterThan(0)
    await run('redis-cli', [...server, 'del', ...keys])
  }
})

/** An MP3 with a picture as it stands in a file, even a broken one, which ffmpeg would refuse to embed. */
async function withPicture(mp3: string, picture: string): Promise<Buffer> {
  const [audio, image] = await Promise.all([readFile(mp3), readFile(picture)])
  const frame = Buffer.concat([Buffer.from('\0image/jpeg\0\x03\0', 'latin1'), image])
  const size = (bytes: number) => Buffer.from([21, 14, 7, 0].map((shift) => (bytes >> shift) & 0x7f))
  const apic = Buffer.concat([Buffer.from('APIC'), size(frame.length), Buffer.from([0, 0]), frame])
  return Buffer.concat([Buffer.from('ID3\x04\0\0', 'latin1'), size(apic.length), apic, audio])
}
