import { execFile } from 'node:child_process'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cidOf } from '@hexachord/protocol/cids'
import { eventually } from '@hexachord/scripts/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { aPlan } from './fixtures/an-upload.ts'
import { refusalOf, sendFile } from './fixtures/send-file.ts'
import { makeMusic } from './fixtures/test-music.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld, untilIndexed } from './fixtures/test-world.ts'
import { createFfmpeg, renderRendition } from './transcoding/index.ts'
import { isDiskFull } from './uploads/index.ts'

const run = promisify(execFile)
type Status = { head: number }
/** Only root can make a disk that is small enough to be filled. */
const canMount = process.platform === 'linux' && process.getuid?.() === 0
const diskBytes = 48 * 1024 ** 2
/** About one segment of a rendition with 160 kbit/s. */
const scratchBytes = 128 * 1024

describe(`a disk that fills up${canMount ? '' : ' (NOT RUN: only root can mount one)'}`, () => {
  const asRoot = canMount ? test : test.skip
  let disk: string
  let world: TestWorld
  beforeAll(async () => {
    if (!canMount) return
    disk = await mountDisk(diskBytes)
    world = await startTestWorld({ env: { DATA_DIR: disk } })
  }, 60_000)
  afterAll(async () => {
    await world?.close()
    if (canMount) await unmount(disk)
  })
  afterEach(() => empty())

  const ballast = () => join(disk, 'ballast')

  /** Leaves no room, whoever else is writing. */
  async function fill(): Promise<void> {
    const file = await open(ballast(), 'a')
    try {
      for (;;) await file.write(Buffer.alloc(64 * 1024))
    } catch (error) {
      if (!isDiskFull(error)) throw error
    } finally {
      await file.close()
    }
  }

  async function empty(): Promise<void> {
    if (canMount) await rm(ballast(), { force: true })
  }

  const isUp = async () => (await fetch(`${world.node.origin}/health`)).status === 200

  asRoot(
    'in the middle of an upload keeps what it has, says so, and the upload goes on when there is room again',
    async () => {
      const song = await readFile(
        await makeMusic(world.folder, 'song.mp3', { seconds: 8, options: ['-b:a', '96k'] }),
      )
      const author = fresh()
      let url: string | undefined
      const half = Math.floor(song.length / 2)
      const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
      const sending = sendFile(world.node, author, song, {
        chunkBytes: half,
        onUrl: (named) => {
          url = named
        },
        onChunk(_, upload) {
          upload.abort().then(stop, stop)
        },
      })
      // It is never heard of again: its client has stopped.
      await Promise.race([stopped, sending])
      await fill()
      const id = url?.split('/').at(-1) ?? ''
      const goOn = () => sendFile(world.node, author, song, { ...(url === undefined ? {} : { url }) })
      expect(await refusalOf(goOn())).toEqual({ status: 507, type: 'disk-full' })
      expect(await world.node.upload(id)).toMatchObject({ state: 'receiving', receivedBytes: half })
      expect(await isUp()).toBe(true)
      await empty()
      await goOn()
      expect(await world.until(id, 'replicating', 'failed')).toMatchObject({ track: { durationMs: 8_000 } })
    },
    90_000,
  )

  asRoot(
    'while ffmpeg writes is what the upload waits for: it is neither lost nor blamed, and becomes a track when there is room',
    async () => {
      const options = ['-b:a', '64k', '-ac', '1']
      const song = await makeMusic(world.folder, 'long.mp3', { seconds: 120, options })
      const id = await sendFile(world.node, fresh(), song)
      await eventually(() => world.node.upload(id), {
        ...{ describe: 'ffmpeg has made a segment', deadlineMs: 30_000, everyMs: 5 },
        until: ({ state, renditions }) =>
          state === 'processing' && renditions.some(({ segments }) => segments > 0),
      })
      await fill()
      const waiting = await eventually(() => world.node.upload(id), {
        ...{ describe: 'the upload waits for room', deadlineMs: 30_000, everyMs: 5 },
        until: ({ state, waitingFor }) => state === 'failed' || waitingFor !== undefined,
      })
      expect(waiting).toMatchObject({ state: 'processing', waitingFor: "room on this node's disk" })
      expect(waiting).not.toHaveProperty('problem')
      // What ffmpeg had written when it was stopped is gone, so that there is some room; and the chain goes on.
      await fill()
      await world.chain.mineIntoNextEpoch()
      const head = await world.chain.head()
      await eventually(async () => (await fetch(`${world.node.origin}/status`)).json() as Promise<Status>, {
        ...{ describe: 'the node has seen the new blocks', deadlineMs: 15_000 },
        until: (status) => status.head >= head,
      })
      expect(await isUp()).toBe(true)
      await empty()
      await untilIndexed(world.chain, world.node)
      const made = await world.until(id, 'replicating', 'failed')
      expect(made).toMatchObject({ state: 'replicating', renditions: [{ state: 'done', segments: 21 }] })
      expect(Math.abs((made.track?.durationMs ?? 0) - 120_000)).toBeLessThan(100)
    },
    90_000,
  )

  describe('under ffmpeg, which ends well and says nothing of it, is told from a recording that ends', () => {
    asRoot('before the first segment', () => expectToldApart(0), 30_000)
    asRoot('within a segment', () => expectToldApart(scratchBytes / 2), 30_000)
  })

  async function expectToldApart(roomBytes: number): Promise<void> {
    const scratch = await mountDisk(scratchBytes)
    try {
      await writeFile(join(scratch, 'ballast'), Buffer.alloc(scratchBytes - roomBytes))
      const rendering = renderRendition({
        ffmpeg: createFfmpeg(),
        plan: aPlan,
        input: await makeMusic(world.folder, 'scratch.wav', { seconds: 15 }),
        directory: join(scratch, 'rendition'),
        durationMs: 15_000,
        timeoutMs: 30_000,
        signal: new AbortController().signal,
        store: (bytes) => cidOf(bytes, 'raw'),
      })
      const failure = await rendering.catch((error: unknown) => error)
      expect(failure).toMatchObject({ name: 'OutputCutShort' })
      expect(isDiskFull(failure)).toBe(true)
    } finally {
      await unmount(scratch)
    }
  }
})

async function mountDisk(bytes: number): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hexachord-disk-'))
  await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path])
  return path
}

async function unmount(path: string): Promise<void> {
  await run('umount', ['--lazy', path])
  await rm(path, { recursive: true })
}
