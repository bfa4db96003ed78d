import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { refusalOf, sendFile } from './fixtures/send-file.ts'
import { makeMusic } from './fixtures/test-music.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from './fixtures/test-world.ts'

const run = promisify(execFile)
/** Only root can make a disk that is small enough to be filled. */
const canMount = process.platform === 'linux' && process.getuid?.() === 0
const diskBytes = 48 * 1024 ** 2

describe(`a disk that fills up${canMount ? '' : ' (NOT RUN: only root can mount one)'}`, () => {
  const asRoot = canMount ? test : test.skip
  let disk: string
  let world: TestWorld
  beforeAll(async () => {
    if (!canMount) return
    disk = await mkdtemp(join(tmpdir(), 'hexachord-disk-'))
    await run('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', disk])
    world = await startTestWorld({ env: { DATA_DIR: disk } })
  }, 60_000)
  afterAll(async () => {
    await world?.close()
    if (!canMount) return
    await run('umount', ['--lazy', disk])
    await rm(disk, { recursive: true })
  })

  async function fill(): Promise<() => Promise<void>> {
    const ballast = join(disk, 'ballast')
    const { bavail, bsize } = await statfs(disk)
    await writeFile(ballast, Buffer.alloc(bavail * bsize))
    return () => rm(ballast)
  }

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
      const empty = await fill()
      const id = url?.split('/').at(-1) ?? ''
      const goOn = () => sendFile(world.node, author, song, { ...(url === undefined ? {} : { url }) })
      expect(await refusalOf(goOn())).toEqual({ status: 507, type: 'disk-full' })
      expect(await world.node.upload(id)).toMatchObject({ state: 'receiving', receivedBytes: half })
      expect((await fetch(`${world.node.origin}/health`)).status).toBe(200)
      await empty()
      await goOn()
      expect(await world.until(id, 'replicating', 'failed')).toMatchObject({ track: { durationMs: 8_000 } })
    },
    90_000,
  )
})
