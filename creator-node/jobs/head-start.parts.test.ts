import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cidOf } from '@hexachord/protocol/cids'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { anUpload } from '../fixtures/an-upload.ts'
import { makeMusic } from '../fixtures/test-music.ts'
import { createFfmpeg } from '../transcoding/index.ts'
import { createCpuSlots } from './cpu-slots.ts'
import { createHeadStarts } from './head-start.ts'
import type { WorkOptions } from './work.ts'

const never = new AbortController().signal
let folder: string
let song: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-head-start-'))
  song = await makeMusic(folder, 'song.m4a', { seconds: 14, options: ['-c:a', 'aac', '-b:a', '192k'] })
}, 30_000)
afterAll(() => rm(folder, { recursive: true }))

/** A node that has received one upload and does nothing else. */
function idleNode(upload = anUpload()) {
  const stored = Promise.withResolvers<void>()
  const slots = createCpuSlots(1)
  const options = {
    ...{ ffmpeg: createFfmpeg(), slots, workDirectory: join(folder, 'work') },
    files: { pathOf: () => song },
    uploads: { get: () => upload, blockCount: () => 0, change: () => undefined },
    ipfs: {
      async put(bytes: Uint8Array) {
        stored.resolve()
        return cidOf(bytes, 'raw')
      },
    },
    onFirstBlock: () => undefined,
  } as unknown as WorkOptions
  return { starts: createHeadStarts(options), slots, stored: stored.promise }
}

describe('a head start', () => {
  test('stores the first segment before anybody has taken it over, and hands it on once', async () => {
    const { starts, stored, slots } = idleNode()
    starts.give('one')
    await stored
    const taken = starts.take('one')
    expect(taken?.work.input).toBe(song)
    expect(starts.take('one')).toBeUndefined()
    await taken?.foreseen.drop()
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
    await starts.close()
  })

  test('is given to one upload at a time, and to none while something else is made', async () => {
    const { starts, slots } = idleNode()
    const other = Promise.withResolvers<void>()
    const busy = slots.run(0, never, () => other.promise)
    starts.give('one')
    expect(starts.take('one')).toBeUndefined()
    other.resolve()
    await busy
    starts.give('two')
    starts.give('three')
    expect(starts.take('three')).toBeUndefined()
    await starts.close()
  })

  test('ends with the node where nobody took it over', async () => {
    const { starts, stored, slots } = idleNode()
    starts.give('one')
    await stored
    await starts.close()
    expect(starts.take('one')).toBeUndefined()
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })
})
