import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cidOf } from '@hexachord/protocol/cids'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { anUpload } from '../fixtures/an-upload.ts'
import { makeMusic } from '../fixtures/test-music.ts'
import { type AudioSource, createFfmpeg, planRenditions, probe } from '../transcoding/index.ts'
import { createCpuSlots } from './cpu-slots.ts'
import { foreseeRenditions } from './foresee-renditions.ts'
import type { Work } from './work.ts'

const notNeeded = () => Promise.reject(new Error('not needed'))
const never = new AbortController().signal
const ffmpeg = createFfmpeg()
let folder: string
let song: string
let source: AudioSource

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-foreseeing-'))
  song = await makeMusic(folder, 'song.m4a', { seconds: 14, options: ['-c:a', 'aac', '-b:a', '192k'] })
  source = await probe(song, { signal: never, measureDuration: notNeeded })
}, 30_000)
afterAll(() => rm(folder, { recursive: true }))

/** Work on a file of which nothing is known yet. */
function workOn(input: string, known?: AudioSource, cores = 1) {
  const listed: number[] = []
  const stored = Promise.withResolvers<void>()
  const slots = createCpuSlots(cores)
  const workDirectory = join(folder, 'work')
  const work = {
    ...{ id: 'one', input, ffmpeg, slots, workDirectory },
    uploads: { get: () => anUpload(known === undefined ? {} : { source: known }) },
    recorder: {
      progress: () => undefined,
      async store(bytes: Uint8Array, _codec: string, wanted: Promise<unknown>) {
        stored.resolve()
        const list = () => void listed.push(bytes.length)
        wanted.then(list, () => undefined)
        return cidOf(bytes, 'raw')
      },
    },
  } as unknown as Work
  return { work, listed, stored: stored.promise, slots, left: () => readdir(join(workDirectory, 'one')) }
}

/** Until what was begun runs; it is waited for by what it needs. */
async function untilBegun(slots: ReturnType<typeof createCpuSlots>): Promise<void> {
  while (slots.counts().running === 0) await new Promise(setImmediate)
}

describe('a rendition that was begun before its file was probed', () => {
  test('is stored at once, and listed once the probe has said what was foreseen', async () => {
    const { work, listed, stored, slots, left } = workOn(song)
    const foreseen = foreseeRenditions(work, never)
    await foreseen.source
    await stored
    expect(listed).toEqual([])
    const plans = planRenditions(source)
    const [claimed] = await foreseen.claim(source, plans)
    expect(claimed?.plan).toBe(plans[0])
    await claimed?.audible
    expect(listed.length).toBeGreaterThan(0)
    const rendition = await claimed?.finish(never)
    expect(rendition?.segments).toHaveLength(3)
    expect(listed).toHaveLength(4)
    await foreseen.drop()
    expect(await left()).toEqual([])
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })

  test('is ended when the probe says something else, and nothing of it was listed', async () => {
    const { work, listed, stored, slots, left } = workOn(song)
    const foreseen = foreseeRenditions(work, never)
    await stored
    const other = { ...source, profile: 'HE-AAC' }
    expect(await foreseen.claim(other, planRenditions(other))).toEqual([])
    expect(await left()).toEqual([])
    expect(listed).toEqual([])
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })

  test('is not waited for while no core is free for it', async () => {
    const { work, slots } = workOn(song)
    const busy = Promise.withResolvers<void>()
    const other = slots.run(0, never, () => busy.promise)
    const foreseen = foreseeRenditions(work, never)
    await foreseen.source
    expect(slots.counts()).toEqual({ running: 1, waiting: 1 })
    const [claimed] = await foreseen.claim(source, planRenditions(source))
    await claimed?.audible
    await foreseen.drop()
    busy.resolve()
    await other
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })

  test.each([
    ['is gone on with where both are as foreseen', 'aac-160', ['flac', 'aac-160']],
    ['is ended alone where only it is not', 'aac-128', ['flac']],
  ])('of what is copied without loss the next is begun beside it, and %s', async (_, name, expected) => {
    const path = await makeMusic(folder, `${name}.flac`, { seconds: 7, options: ['-c:a', 'flac'] })
    const found = await probe(path, { signal: never, measureDuration: notNeeded })
    const plans = planRenditions(found).map((plan) =>
      plan.name === 'aac-160' ? { ...plan, name, bitRate: Number(name.slice(4)) * 1000 } : plan,
    )
    const { work, slots, left } = workOn(path, undefined, 2)
    const foreseen = foreseeRenditions(work, never)
    await foreseen.source
    // The copy may have ended already.
    expect(slots.counts().waiting).toBe(0)
    const claimed = await foreseen.claim(found, plans)
    expect(claimed.map(({ plan }) => plan.name)).toEqual(expected)
    const made = await Promise.all(claimed.map(({ finish }) => finish(never)))
    expect(made.map(({ codec }) => codec)).toEqual(
      expected.map((one) => (one === 'flac' ? 'fLaC' : 'mp4a.40.2')),
    )
    await foreseen.drop()
    expect(await left()).toEqual([])
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })

  test('is ended with the work that was to claim it', async () => {
    const { work, slots } = workOn(song)
    const foreseen = foreseeRenditions(work, never)
    await untilBegun(slots)
    const [claimed] = await foreseen.claim(source, planRenditions(source))
    const stop = new AbortController()
    const finishing = claimed?.finish(stop.signal)
    stop.abort(new Error('another rendition has failed'))
    await expect(finishing).rejects.toThrow('another rendition has failed')
    await foreseen.drop()
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })

  test.each(['what was probed before', 'what tells nothing of itself'])(
    'does not exist of %s',
    async (what) => {
      const { work, slots } = what.includes('before')
        ? workOn(song, source)
        : workOn(join(folder, 'no-such-file'))
      const foreseen = foreseeRenditions(work, never)
      expect(await foreseen.claim(source, planRenditions(source))).toEqual([])
      expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
    },
  )
})
