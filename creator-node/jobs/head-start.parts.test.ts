import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cidOf } from '@hexachord/protocol/cids'
import { eventually } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { anUpload } from '../fixtures/an-upload.ts'
import { makeMusic } from '../fixtures/test-music.ts'
import { createFfmpeg, planRenditions } from '../transcoding/index.ts'
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

/** A node that receives one upload and does nothing else. */
function idleNode({ upload = anUpload(), path = song } = {}) {
  const stored = Promise.withResolvers<void>()
  const slots = createCpuSlots(1)
  const options = {
    ...{ ffmpeg: createFfmpeg(), slots, workDirectory: join(folder, 'work') },
    files: { pathOf: () => path },
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

/** A FLAC of which all but the last byte has come. */
async function arrivingFlac() {
  const whole = await readFile(await makeMusic(folder, 'whole.flac', { seconds: 14 }))
  const path = join(folder, 'arriving.flac')
  await writeFile(path, whole.subarray(0, -1))
  return { path, whole, upload: anUpload({ byteLength: whole.length }), last: whole.subarray(-1) }
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

  test('copies frames that have come while the rest of them comes, to the same blocks', async () => {
    const { path, upload, last, whole } = await arrivingFlac()
    const { starts, stored, slots } = idleNode({ upload, path })
    starts.begin('one')
    await stored
    expect((await stat(path)).size).toBe(whole.length - 1)
    await appendFile(path, last)
    starts.give('one')
    const taken = starts.take('one')
    const source = await taken?.foreseen.source
    if (taken === undefined || source === undefined) throw new Error('nothing was begun')
    const [claimed] = await taken.foreseen.claim(source, planRenditions(source))
    const rendition = await claimed?.finish(never)
    await taken.foreseen.drop()
    await starts.close()
    expect(rendition?.segments).toHaveLength(5)

    const later = idleNode({ upload, path })
    later.starts.give('one')
    const again = later.starts.take('one')
    await again?.foreseen.source
    const [whenWhole] = (await again?.foreseen.claim(source, planRenditions(source))) ?? []
    expect(await whenWhole?.finish(never)).toEqual(rendition)
    await again?.foreseen.drop()
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  }, 30_000)

  test('on a file that is still coming gives its core to whoever needs one, and is begun again', async () => {
    const { path, upload, last } = await arrivingFlac()
    const { starts, stored, slots } = idleNode({ upload, path })
    starts.begin('one')
    await stored
    let worked = false
    await slots.run(0, never, async () => {
      worked = true
    })
    expect(worked).toBe(true)
    const begun = {
      describe: 'it is begun again',
      deadlineMs: 10_000,
      until: (running: number) => running === 1,
    }
    await eventually(() => {
      starts.begin('one')
      return slots.counts().running
    }, begun)
    await appendFile(path, last)
    starts.give('one')
    expect((await starts.take('one')?.foreseen.source)?.codec).toBe('flac')
    await starts.close()
  }, 30_000)

  test('ends with a file that is taken back while it comes, and others have theirs', async () => {
    const { path, upload } = await arrivingFlac()
    const { starts, stored, slots } = idleNode({ upload, path })
    starts.begin('one')
    await stored
    await rm(path)
    await eventually(() => slots.counts().running, {
      ...{ describe: 'its core is free', deadlineMs: 10_000, until: (running: number) => running === 0 },
    })
    await arrivingFlac()
    starts.begin('two')
    expect(starts.take('two')).toBeDefined()
    await starts.close()
  }, 30_000)

  test('ends with the node where nobody took it over', async () => {
    const { starts, stored, slots } = idleNode()
    starts.give('one')
    await stored
    await starts.close()
    expect(starts.take('one')).toBeUndefined()
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })
})
