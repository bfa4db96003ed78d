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
    expect(loaded.manifest.fingerprint?.byteLength).toBeGreaterThan(400)
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

  test('with a title of a megabyte proposes the beginning of it', async () => {
    const bare = await makeMusic(world.folder, 'untitled.mp3', { seconds: 3, options: ['-b:a', '96k'] })
    const file = join(world.folder, 'long-title.mp3')
    const title = Buffer.from(`\x03${'la '.repeat(350_000)}`, 'latin1')
    await writeFile(file, withFrame(await readFile(bare), 'TIT2', title))
    const { state, tags } = await publishable(file)
    expect(state).toBe('replicating')
    expect(tags?.title?.length).toBeGreaterThan(190)
    expect('la '.repeat(70).startsWith(tags?.title ?? '-')).toBe(true)
  }, 60_000)

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

describe('how far an upload is', () => {
  test('is told exactly, step by step, and never goes back', async () => {
    const file = await makeMusic(world.folder, 'progress.mp3', { seconds: 20, options: ['-b:a', '192k'] })
    const id = await sendFile(world.node, fresh(), file, { metadata: { keepOriginal: 'true' } })
    const states = await statesOf(id)
    const last = states.at(-1)
    const { source, track } = last ?? {}
    if (!last || !source || !track) throw new Error('there is no track')
    expect(states.map(({ version }) => version)).toEqual(
      [...new Set(states.map(({ version }) => version))].sort((a, b) => a - b),
    )
    for (const { renditions, receivedBytes, byteLength } of states) {
      expect(receivedBytes).toBe(byteLength)
      for (const { doneMs } of renditions) expect(doneMs).toBeLessThanOrEqual(source.durationMs + 60)
    }
    const stored = states.flatMap(({ original }) => original?.doneBytes ?? [])
    expect(stored).toEqual(stored.toSorted((a, b) => a - b))
    expect(last.original).toEqual({ doneBytes: last.byteLength, byteLength: last.byteLength })

    const { manifest, renditions } = await loadTrack(track.manifest, ipfs)
    for (const [index, { name, state, doneMs, segments }] of last.renditions.entries()) {
      const steps = states.flatMap((one) => one.renditions.filter((rendition) => rendition.name === name))
      const [ms, counts] = [steps.map((step) => step.doneMs), steps.map((step) => step.segments)]
      expect(ms).toEqual(ms.toSorted((a, b) => a - b))
      expect(counts).toEqual(counts.toSorted((a, b) => a - b))
      expect([name, state, segments]).toEqual([name, 'done', renditions[index]?.segments.length])
      expect([name, Math.abs(doneMs - manifest.durationMs) < 60]).toEqual([name, true])
    }
    expect(states.length).toBeGreaterThan(3)
    const all = blocksOf(await loadTrack(track.manifest, ipfs))
    expect(last.blocks).toBe(all.length)
  }, 120_000)

  /** Every state that the node tells of as it goes on, until the track is there. */
  async function statesOf(id: string): Promise<UploadAnswer[]> {
    const { body } = await fetch(`${world.node.origin}/uploads/${id}/events`)
    const states: UploadAnswer[] = []
    let rest = ''
    for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const events = (rest + text).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const [, data] = /^data: (.*)$/m.exec(event) ?? []
        if (data !== undefined) states.push(JSON.parse(data))
      }
      if (states.at(-1)?.track || states.at(-1)?.state === 'failed') break
    }
    return states
  }
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

  test('refused by ffmpeg nothing is made, and the artist is told what to send', async () => {
    const options = ['-ac', '2', '-c:a', 'libvorbis']
    const ogg = await makeMusic(world.folder, 'sound.ogg', { seconds: 5, options })
    for (const mendSum of [false, true]) {
      const file = await withBadCodebooks(ogg, join(world.folder, `bad-${mendSum}.ogg`), { mendSum })
      expect(await failed(file)).toMatchObject({
        ...{ state: 'failed', problem: 'undecodable', track: null },
        reason: expect.stringContaining('save it as FLAC or WAV in the program that plays it'),
      })
    }
  }, 60_000)

  test('larger than the author has allowed nothing is made', async () => {
    const file = await makeMusic(world.folder, 'large.wav')
    const id = await sendFile(world.node, fresh(), file, { grant: { byteLimit: 100_000 } })
    expect(await world.ended(id)).toMatchObject({ state: 'failed', problem: 'tooLarge' })
  }, 60_000)
})

describe('work that is interrupted', () => {
  test('by a stop goes on after the start, and does nothing twice', async () => {
    const file = await makeMusic(world.folder, 'interrupted.wav', { seconds: 45 })
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
  return withFrame(audio, 'APIC', Buffer.concat([Buffer.from('\0image/jpeg\0\x03\0', 'latin1'), image]))
}

/** An MP3 with one frame of ID3v2.4 before it. */
function withFrame(audio: Buffer, name: string, frame: Buffer): Buffer {
  const size = (bytes: number) => Buffer.from([21, 14, 7, 0].map((shift) => (bytes >> shift) & 0x7f))
  const tag = Buffer.concat([Buffer.from(name), size(frame.length), Buffer.from([0, 0]), frame])
  return Buffer.concat([Buffer.from('ID3\x04\0\0', 'latin1'), size(tag.length), tag, audio])
}

/** An Ogg Vorbis file whose codebooks are damaged, as a disk or a download leaves it. */
async function withBadCodebooks(ogg: string, to: string, { mendSum }: { mendSum: boolean }): Promise<string> {
  const bytes = await readFile(ogg)
  const start = bytes.indexOf('OggS', 1)
  const page = bytes.subarray(start, bytes.indexOf('OggS', start + 1))
  // RFC 3533: the checksum stands at byte 22 of a page. The setup header begins with its type and `vorbis`.
  page.fill(0xff, page.indexOf('\x05vorbis') + 20, page.indexOf('\x05vorbis') + 36)
  if (mendSum) page.fill(0, 22, 26).writeUInt32LE(oggSum(page), 22)
  await writeFile(to, bytes)
  return to
}

/** The checksum of an Ogg page: CRC-32 of polynomial 04c11db7, unreflected, from 0. */
function oggSum(page: Uint8Array): number {
  let sum = 0
  for (const byte of page) {
    sum ^= byte << 24
    for (let bit = 0; bit < 8; bit++) sum = sum < 0 ? (sum << 1) ^ 0x04c11db7 : sum << 1
  }
  return sum >>> 0
}
