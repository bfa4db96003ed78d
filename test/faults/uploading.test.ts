import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import { mapMemory } from '@hexachord/sdk/fixtures'
import { releaseTracks } from '@hexachord/sdk/releasing'
import type { SavedUpload } from '@hexachord/sdk/uploading'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { type Artist, newArtist, sourceOf } from '../network/artist.ts'
import { makeRecording } from '../network/recordings.ts'
import { createUpload, grantFor, sendBytes } from '../network/tus.ts'
import { type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'
import { listen } from './listening.ts'

const creator = 'creator-node'
const seconds = 45
let network: FaultNetwork
let artist: Artist
/** Eight megabytes: two requests of our client. Another one for each test, since the node knows again what it has made. */
let song: string

beforeAll(async () => {
  network = await startFaultNetwork({ contentServices: 2 })
  artist = await newArtist(network)
}, 120_000)
beforeEach(async () => {
  song = await makeRecording(network.folder, { name: 'long', seconds, format: 'wav' })
})
afterAll(() => network?.close())

async function killAndReturn(name: string): Promise<void> {
  await network.processes.kill(name)
  await network.processes.restart(name)
}

async function expectWhole(upload: UploadAnswer): Promise<void> {
  const track = await artist.publish(upload)
  expect(track.holders).toHaveLength(2)
  const heard = await listen(artist.connection, track, network)
  expect(Math.abs(heard.ms - seconds * 1000)).toBeLessThan(250)
  expect(heard.faults).toEqual([])
}

async function sha256Of(file: string): Promise<string> {
  return `0x${createHash('sha256')
    .update(await readFile(file))
    .digest('hex')}`
}

/** Calls `fault` once, when the node is about to be in the midst of making renditions, or of something else. */
function onceProcessing(fault: () => Promise<void>, isThere = isRendering) {
  let happened: Promise<void> | undefined
  return {
    onProgress({ upload }: { step: string; upload?: UploadAnswer }): void {
      if (upload !== undefined && isThere(upload)) happened ??= fault()
    },
    /** @throws what the fault threw, and when it never happened */
    async ended(): Promise<void> {
      if (happened === undefined) throw new Error('the upload was never seen there')
      await happened
    },
  }
}

const isRendering = ({ state, renditions }: UploadAnswer) =>
  state === 'processing' && renditions.some(({ segments }) => segments > 0)

const isStoringOriginal = ({ state, original }: UploadAnswer) =>
  state === 'processing' &&
  original !== undefined &&
  original.doneBytes > 0 &&
  original.doneBytes < original.byteLength

const isBeingPulled = ({ state, replicas, blocks }: UploadAnswer) =>
  state === 'replicating' &&
  replicas.some((replica) => replica.state === 'pulling' && replica.blocks < blocks)

describe('kill -9 of the creator node', () => {
  test('between two requests loses no byte that was acknowledged', async () => {
    const bytes = new Uint8Array(await readFile(song))
    const authorization = await artist.token()
    const created = await createUpload(network.urls.creator, {
      authorization,
      byteLength: bytes.length,
      metadata: { filename: 'long.wav', grant: await grantFor(artist, network.urls.creator) },
    })
    const url = created.headers.get('location') ?? ''
    let acknowledged = 0
    const send = async (until: number) => {
      const part = bytes.slice(acknowledged, until)
      const response = await sendBytes(url, part, { authorization, offset: acknowledged })
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
      acknowledged = Number(response.headers.get('upload-offset'))
    }
    const offset = async () => {
      const head = await fetch(url, { method: 'HEAD', headers: { 'tus-resumable': '1.0.0' } })
      return Number(head.headers.get('upload-offset'))
    }

    await send(1_000_000)
    await killAndReturn(creator)
    expect(await offset()).toBe(acknowledged)

    // And in the midst of one: what came of it may count, or not; what came before does.
    const interrupted = send(bytes.length)
    await network.processes.kill(creator)
    await expect(interrupted).rejects.toThrow()
    await network.processes.restart(creator)
    const kept = await offset()
    expect(kept).toBeGreaterThanOrEqual(acknowledged)
    acknowledged = kept
    await send(bytes.length)
    expect(acknowledged).toBe(bytes.length)

    const answer = await network.eventually((signal) => readJson<UploadAnswer>(url, signal), {
      describe: 'the upload with its hash',
      deadlineMs: 30_000,
      until: ({ source }) => source !== undefined,
    })
    expect(answer.source?.sha256).toBe(await sha256Of(song))
    const end = await fetch(url, { method: 'DELETE', headers: { 'tus-resumable': '1.0.0', authorization } })
    expect(end.status).toBe(204)
  }, 120_000)

  test('while our client sends is waited for, and the client goes on', async () => {
    let fault: Promise<void> | undefined
    const sent: number[] = []
    const upload = await artist.upload(song, {
      onProgress(progress) {
        if (progress.step !== 'sending') return
        sent.push(progress.sentBytes)
        if (progress.sentBytes > progress.totalBytes * 0.6) fault ??= killAndReturn(creator)
      },
    })
    await fault
    expect(fault).toBeDefined()
    expect(sent.at(-1)).toBe(upload.byteLength)
    expect(upload.source?.sha256).toBe(await sha256Of(song))
    await expectWhole(upload)
  }, 180_000)

  test('while it transcodes is made good by its return', async () => {
    const fault = onceProcessing(() => killAndReturn(creator))
    const upload = await artist.upload(song, { onProgress: fault.onProgress })
    await fault.ended()
    expect(upload.renditions.map(({ state }) => state)).toEqual(upload.renditions.map(() => 'done'))
    await expectWhole(upload)
  }, 180_000)
})

describe('kill -9 of the creator node, where the artist wants the file kept', () => {
  test('while it stores the file, and again while operators pull the track, loses no byte', async () => {
    const heavy = await withBallast(song)
    const services = ['content-service-1', 'content-service-2']
    await Promise.all(services.map((name) => network.processes.kill(name)))
    const storing = onceProcessing(() => killAndReturn(creator), isStoringOriginal)
    const waiting = onceProcessing(
      async () => void (await Promise.all(services.map((name) => network.processes.restart(name)))),
      ({ state }) => state === 'replicating',
    )
    const pulling = onceProcessing(() => killAndReturn(creator), isBeingPulled)
    const upload = await artist.upload(heavy, {
      keepOriginal: true,
      onProgress(progress) {
        for (const fault of [storing, waiting, pulling]) fault.onProgress(progress)
      },
    })
    for (const fault of [storing, waiting, pulling]) await fault.ended()
    await expectWhole(upload)
    const sha256 = await sha256Of(heavy)
    for (const { endpoint } of upload.replicas) {
      const answer = await fetch(`${endpoint}/originals/${upload.track?.manifest}`)
      const bytes = Buffer.from(await answer.arrayBuffer())
      expect(`0x${createHash('sha256').update(bytes).digest('hex')}`).toBe(sha256)
    }
  }, 240_000)

  test('before, at and after the time of a release loses none, and sends none before', async () => {
    const holdUntilMs = Date.now() + 30_000
    const details = () => ({ title: 'Held', artist: 'Guido', licence: 'CC0-1.0', rightsHeld: true }) as const
    const file = { source: await sourceOf(song), details }
    const options = { memory: mapMemory(), holdUntilMs }
    const [released] = await releaseTracks(artist.connection, artist.account, [file], options)
    if (released?.state !== 'scheduled') throw new Error(`it is ${released?.state}`)
    const { subject, release } = released
    const statusNow = async () => (await fetch(`${network.urls.discovery}/v1/tracks/${subject}`)).status
    await killAndReturn(creator)
    expect([await statusNow(), Date.now() < holdUntilMs]).toEqual([404, true])

    await network.processes.kill(creator)
    await network.eventually(async () => Date.now(), {
      ...{ describe: 'the time of the release', deadlineMs: 40_000 },
      until: (ms) => ms > holdUntilMs,
    })
    expect(await statusNow()).toBe(404)
    await network.processes.restart(creator)
    await network.processes.kill(creator)
    await network.processes.restart(creator)
    await network.eventually(statusNow, {
      ...{ describe: 'the released track', deadlineMs: 60_000 },
      until: (status) => status === 200,
    })
    const track = await readJson<Track>(`${network.urls.discovery}/v1/tracks/${subject}`)
    expect(track.last.digest).toBe(release.hash)
  }, 180_000)
})

/** The same sound, with a chunk after it that no player looks at: it takes a while to store, and none to render. */
async function withBallast(wav: string): Promise<string> {
  const junk = randomBytes(96 << 20)
  const head = Buffer.from('JUNK\0\0\0\0', 'latin1')
  head.writeUInt32LE(junk.length, 4)
  const file = `${network.folder}/heavy.wav`
  await writeFile(file, Buffer.concat([await readFile(wav), head, junk]))
  return file
}

describe('Redis', () => {
  test('that is flushed while an upload is processed loses nothing', async () => {
    const redis = new Redis(network.urls.redis)
    try {
      const fault = onceProcessing(async () => {
        expect(await redis.dbsize()).toBeGreaterThan(0)
        await redis.flushall()
      })
      const upload = await artist.upload(song, { onProgress: fault.onProgress })
      await fault.ended()
      await expectWhole(upload)
    } finally {
      redis.disconnect()
    }
  }, 180_000)

  test('that is killed while an upload is processed, and comes back empty, loses nothing', async () => {
    const fault = onceProcessing(async () => {
      await network.processes.kill('redis')
      await network.processes.restart('redis')
      const redis = new Redis(network.urls.redis)
      await redis.flushall()
      redis.disconnect()
    })
    const upload = await artist.upload(song, { onProgress: fault.onProgress })
    await fault.ended()
    await expectWhole(upload)
  }, 180_000)
})

describe('kill -9 of a content service', () => {
  test('while it pulls is made good by its return, and its receipt comes', async () => {
    const fault = onceProcessing(() => killAndReturn('content-service-1'))
    const upload = await artist.upload(song, { onProgress: fault.onProgress })
    await fault.ended()
    expect(new Set(upload.receipts.map(({ operator }) => operator)).size).toBe(2)
    await expectWhole(upload)
  }, 180_000)
})

describe('a client that dies', () => {
  test('goes on where it was when it is started again', async () => {
    const saved = new Map<string, SavedUpload>()
    const memory = {
      load: async (key: string) => saved.get(key),
      save: async (key: string, upload: SavedUpload) => void saved.set(key, upload),
      forget: async (key: string) => void saved.delete(key),
    }
    const dead = new AbortController()
    const first = artist.upload(song, {
      memory,
      signal: dead.signal,
      onProgress(progress) {
        if (progress.step === 'sending' && progress.sentBytes > progress.totalBytes * 0.6)
          dead.abort(new Error('dead'))
      },
    })
    await expect(first).rejects.toThrow('dead')
    const [known] = saved.values()
    const sent: number[] = []
    const upload = await artist.upload(song, {
      memory,
      onProgress: (progress) => void (progress.step === 'sending' && sent.push(progress.sentBytes)),
    })
    expect(upload.subject).toBe(known?.subject)
    // Nothing at all, if the node had everything already.
    expect(Math.min(...sent, upload.byteLength)).toBeGreaterThanOrEqual(4 << 20)
    expect(upload.source?.sha256).toBe(await sha256Of(song))
  }, 120_000)
})
