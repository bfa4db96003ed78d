import { cidOf, linkTo } from '@hexachord/protocol/cids'
import { decodeManifest } from '@hexachord/protocol/manifests'
import { describe, expect, test } from '@jest/globals'
import { anUpload, aPlan } from '../fixtures/an-upload.ts'
import type { AudioSource } from '../transcoding/index.ts'
import type { MadeRendition } from '../uploads/index.ts'
import { assembleManifest } from './assemble-manifest.ts'
import { createCpuSlots } from './cpu-slots.ts'
import { checkLength } from './measure-source.ts'
import { together } from './together.ts'

const never = new AbortController().signal

describe('cores', () => {
  /** Work that lasts until it is told to end. */
  function work(log: string[], name: string) {
    const { promise, resolve } = Promise.withResolvers<void>()
    return {
      end: resolve,
      async run() {
        log.push(name)
        await promise
      },
    }
  }

  test('are given to as many as there are, the most urgent first', async () => {
    const slots = createCpuSlots(2)
    const log: string[] = []
    const works = ['a', 'b', 'late', 'urgent'].map((name) => work(log, name))
    const urgencies = [2, 2, 2, 0]
    const running = works.map((one, place) => slots.run(urgencies[place] ?? 0, never, one.run))
    await Promise.resolve()
    await Promise.resolve()
    expect(log).toEqual(['a', 'b'])
    expect(slots.counts()).toEqual({ running: 2, waiting: 2 })
    works[0]?.end()
    await running[0]
    works[3]?.end()
    await running[3]
    for (const { end } of works) end()
    await Promise.all(running)
    expect(log).toEqual(['a', 'b', 'urgent', 'late'])
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })

  test('are free again after a failure', async () => {
    const slots = createCpuSlots(1)
    await expect(slots.run(0, never, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    await expect(slots.run(0, never, async () => 'done')).resolves.toBe('done')
  })

  test('is given back before the work has ended where that frees it, and only once', async () => {
    const slots = createCpuSlots(1)
    const [storing, next] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const first = slots.run(0, never, async (free) => {
      free()
      free()
      await storing.promise
    })
    const second = slots.run(0, never, () => next.promise)
    const third = slots.run(0, never, async () => undefined)
    await new Promise(setImmediate)
    expect(slots.counts()).toEqual({ running: 1, waiting: 1 })
    storing.resolve()
    await first
    expect(slots.counts()).toEqual({ running: 1, waiting: 1 })
    next.resolve()
    await Promise.all([second, third])
    expect(slots.counts()).toEqual({ running: 0, waiting: 0 })
  })

  test('are not taken by those who have left the line', async () => {
    const slots = createCpuSlots(1)
    const first = work([], 'first')
    const running = slots.run(0, never, first.run)
    const leaving = new AbortController()
    const left = slots.run(0, leaving.signal, async () => 'never')
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    expect(slots.counts().waiting).toBe(0)
    first.end()
    await running
    await expect(slots.run(0, never, async () => 'next')).resolves.toBe('next')
  })
})

describe('tasks together', () => {
  test('end when all have ended', async () => {
    const done: number[] = []
    await together(never, [async () => void done.push(1), async () => void done.push(2)])
    expect(done).toEqual([1, 2])
  })

  test('end with the first failure, after the others have been stopped', async () => {
    let stopped = false
    const patient = (signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => {
          stopped = true
          reject(signal.reason)
        })
      })
    const failing = () => Promise.reject(new Error('first'))
    await expect(together(never, [patient, failing])).rejects.toThrow('first')
    expect(stopped).toBe(true)
  })
})

describe('the manifest', () => {
  const made = (cid: string, change: Partial<MadeRendition>): MadeRendition => ({
    ...{ cid, byteLength: 10, totalBytes: 1_000, durationMs: 20_023, lossless: false },
    averageBandwidth: 160_000,
    ...change,
  })
  const cid = (text: string) => cidOf(new TextEncoder().encode(text), 'dag-json')

  test('has the best rendition first, and the length that was heard', async () => {
    const [low, high, lossless] = await Promise.all([cid('"low"'), cid('"high"'), cid('"flac"')])
    const state = { state: 'done', doneMs: 0, segments: 1 } as const
    const upload = anUpload({
      renditions: [
        { plan: aPlan, ...state, made: made(low, { averageBandwidth: 96_000 }) },
        { plan: aPlan, ...state, made: made(lossless, { lossless: true, averageBandwidth: 1 }) },
        { plan: aPlan, ...state, made: made(high, { averageBandwidth: 320_000 }) },
        { plan: aPlan, state: 'running', doneMs: 6_000, segments: 1 },
      ],
    })
    const partial = decodeManifest(assembleManifest(upload) ?? new Uint8Array())
    expect(partial).toEqual({
      v: 1,
      kind: 'track',
      durationMs: 20_023,
      renditions: [lossless, high, low].map(linkTo),
    })
    const loudness = { integratedMilliLufs: -14_000, rangeMilliLu: 5_000, truePeakMilliDbtp: -1_000 }
    const whole = assembleManifest({ ...upload, measured: { durationMs: 20_000, loudness } })
    expect(decodeManifest(whole ?? new Uint8Array())).toMatchObject({ durationMs: 20_000, loudness })
  })

  test('is not there before the first rendition', () => {
    expect(assembleManifest(anUpload())).toBeUndefined()
  })
})

describe('a file that ends before it says', () => {
  const source: AudioSource = {
    ...{ codec: 'flac', profile: undefined, sampleRateHz: 44_100, channels: 2, lossless: true },
    ...{ bitsPerSample: 16, bitRate: 900_000, durationMs: 100_000, durationStated: true },
  }
  test('is truncated', () => {
    expect(() => checkLength(source, 97_000)).toThrow('only 97.0 s of the file can be read, of 100.0 s')
  })
  test('by what encoders leave out is whole', () => {
    expect(() => checkLength(source, 99_900)).not.toThrow()
    expect(() => checkLength(source, 100_050)).not.toThrow()
  })
  test('by a guess is believed', () => {
    expect(() => checkLength({ ...source, durationStated: false }, 50_000)).not.toThrow()
  })
})
