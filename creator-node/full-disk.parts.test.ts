import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canMountDisks, mountSmallDisk, type SmallDisk } from '@hexachord/platform/testing'
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

type Status = { head: number }
const diskBytes = 48 * 1024 ** 2
/** About one segment of a rendition with 160 kbit/s. */
const scratchBytes = 128 * 1024

describe(`a disk that fills up${canMountDisks ? '' : ' (NOT RUN: only root can mount one)'}`, () => {
  const asRoot = canMountDisks ? test : test.skip
  let disk: SmallDisk
  let world: TestWorld
  beforeAll(async () => {
    if (!canMountDisks) return
    disk = await mountSmallDisk(diskBytes)
    world = await startTestWorld({ env: { DATA_DIR: disk.path } })
  }, 60_000)
  afterAll(async () => {
    await world?.close()
    await disk?.remove()
  })
  afterEach(() => disk?.empty())

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
      await disk.fill()
      const id = url?.split('/').at(-1) ?? ''
      const goOn = () => sendFile(world.node, author, song, { ...(url === undefined ? {} : { url }) })
      expect(await refusalOf(goOn())).toEqual({ status: 507, type: 'disk-full' })
      expect(await world.node.upload(id)).toMatchObject({ state: 'receiving', receivedBytes: half })
      expect(await isUp()).toBe(true)
      await disk.empty()
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
      await disk.fill()
      const waiting = await eventually(() => world.node.upload(id), {
        ...{ describe: 'the upload waits for room', deadlineMs: 30_000, everyMs: 5 },
        until: ({ state, waitingFor }) => state === 'failed' || waitingFor !== undefined,
      })
      expect(waiting).toMatchObject({ state: 'processing', waitingFor: "room on this node's disk" })
      expect(waiting).not.toHaveProperty('problem')
      // What ffmpeg had written when it was stopped is gone, so that there is some room; and the chain goes on.
      await disk.fill()
      await world.chain.mineIntoNextEpoch()
      const head = await world.chain.head()
      await eventually(async () => (await fetch(`${world.node.origin}/status`)).json() as Promise<Status>, {
        ...{ describe: 'the node has seen the new blocks', deadlineMs: 15_000 },
        until: (status) => status.head >= head,
      })
      expect(await isUp()).toBe(true)
      await disk.empty()
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
    const scratch = await mountSmallDisk(scratchBytes)
    try {
      await writeFile(join(scratch.path, 'ballast'), Buffer.alloc(scratchBytes - roomBytes))
      const rendering = renderRendition({
        ffmpeg: createFfmpeg(),
        plan: aPlan,
        input: await makeMusic(world.folder, 'scratch.wav', { seconds: 15 }),
        directory: join(scratch.path, 'rendition'),
        durationMs: 15_000,
        timeoutMs: 30_000,
        signal: new AbortController().signal,
        store: (bytes) => cidOf(bytes, 'raw'),
      })
      const failure = await rendering.catch((error: unknown) => error)
      expect(failure).toMatchObject({ name: 'OutputCutShort' })
      expect(isDiskFull(failure)).toBe(true)
    } finally {
      await scratch.remove()
    }
  }
})
