import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type GeneratedFile, sendFile, tokenOf } from './fixtures/send-file.ts'
import { makeMusic } from './fixtures/test-music.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from './fixtures/test-world.ts'

/** The most that a node takes when its operator says nothing else. */
const largestBytes = 3 * 1024 ** 3
const requestBytes = 32 * 1024 ** 2
/** What the process may grow by, in which the client and the chain's reader run, too. */
const mostMemoryBytes = 300 * 1024 ** 2
/** The track of six seconds, until the next collection, and what the database has grown by. */
const leftBytes = 16 * 1024 ** 2

let world: TestWorld
beforeAll(async () => {
  world = await startTestWorld()
}, 60_000)
afterAll(() => world?.close())

test('a file of 3 GiB arrives whole, becomes a track in little memory, and gives its room back when it is taken back', async () => {
  const { node } = world
  const author = fresh()
  const song = await largeWav(await makeMusic(world.folder, 'song.wav', { seconds: 6 }))
  const sha256 = sha256Of(song)
  const bytesBefore = await bytesUnder(node.directory)
  const memoryBefore = process.memoryUsage.rss()

  const metadata = { filename: 'song.wav', sha256 }
  const id = await sendFile(node, author, song, { chunkBytes: requestBytes, metadata })
  expect((await stat(join(node.directory, 'sources', id))).size).toBe(largestBytes)
  expect(await world.until(id, 'replicating', 'failed')).toMatchObject({
    ...{ state: 'replicating', byteLength: largestBytes, receivedBytes: largestBytes },
    source: { sha256, codec: 'pcm_s16le', durationMs: 6_000 },
    track: { durationMs: 6_000 },
  })
  const { maxRSS } = process.resourceUsage()
  expect(maxRSS * 1024 - memoryBefore).toBeLessThan(mostMemoryBytes)

  const headers = { 'Tus-Resumable': '1.0.0', Authorization: await tokenOf(author, node) }
  const taken = await fetch(`${node.origin}/uploads/${id}`, { method: 'DELETE', headers })
  expect(taken.status).toBe(204)
  await eventually(async () => (await bytesUnder(node.directory)) - bytesBefore, {
    ...{ describe: 'only the blocks of the track are left', deadlineMs: 10_000 },
    until: (bytes) => bytes < leftBytes,
  })
}, 400_000)

/** A WAV file with a chunk after its sound that is as large as a node lets it be, as programs keep their own things in. */
async function largeWav(path: string): Promise<GeneratedFile> {
  const sound = await readFile(path)
  const padding = sound.length % 2
  const chunk = Buffer.alloc(8 + padding)
  chunk.write('JUNK', padding, 'latin1')
  chunk.writeUInt32LE(largestBytes - sound.length - chunk.length, padding + 4)
  const head = Buffer.concat([sound, chunk])
  head.writeUInt32LE(largestBytes - 8, 4)
  const buffer = Buffer.alloc(requestBytes)
  return {
    byteLength: largestBytes,
    slice(start, end) {
      // No two places alike, so that the hash tells when some have changed places.
      for (let at = 0; at < end - start; at += 4096) buffer.writeDoubleLE(start + at, at)
      if (start < head.length) head.copy(buffer, 0, start)
      return buffer.subarray(0, end - start)
    },
  }
}

function sha256Of({ byteLength, slice }: GeneratedFile): string {
  const hash = createHash('sha256')
  for (let start = 0; start < byteLength; start += requestBytes) {
    hash.update(slice(start, Math.min(byteLength, start + requestBytes)))
  }
  return `0x${hash.digest('hex')}`
}

async function bytesUnder(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
