import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { ArrivalGivenUp, watchArrival } from './arrival.ts'

const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251))
const never = new AbortController().signal
let folder: string
let path: string
let isInTheWay: boolean

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-arrival-'))
  path = join(folder, 'file')
})
beforeEach(async () => {
  isInTheWay = false
  await writeFile(path, bytes.subarray(0, 40_000))
})
afterAll(() => rm(folder, { recursive: true }))

const watch = (options: { stalledMs?: number; signal?: AbortSignal } = {}) =>
  watchArrival({ path, byteLength: bytes.length, isInTheWay: () => isInTheWay, signal: never, ...options })

describe('a file that is coming', () => {
  test('is waited for up to a place in it, and to its end', async () => {
    const arrival = watch()
    await arrival.reached(40_000)
    const log: string[] = []
    const waiting = [
      arrival.reached(60_000).then(() => log.push('some')),
      arrival.whole().then(() => log.push('all')),
      arrival.reached(Number.MAX_SAFE_INTEGER).then(() => log.push('no more')),
    ]
    await appendFile(path, bytes.subarray(40_000, 60_000))
    await waiting[0]
    expect(log).toEqual(['some'])
    await appendFile(path, bytes.subarray(60_000))
    await Promise.all(waiting)
    expect(log.sort()).toEqual(['all', 'no more', 'some'])
  })

  test('is waited for a moment, and at once when it is there', async () => {
    const arrival = watch()
    await arrival.within(1)
    const waiting = arrival.within(60_000)
    await appendFile(path, bytes.subarray(40_000))
    arrival.look()
    await waiting
  })

  test('is read as it comes, to its last byte', async () => {
    const input = (await watch().input()) as Readable
    const reading = buffer(input)
    for (let at = 40_000; at < bytes.length; at += 7_500) {
      await appendFile(path, bytes.subarray(at, at + 7_500))
    }
    expect(Buffer.compare(await reading, bytes)).toBe(0)
  })

  test('is read by its path once all of it is there', async () => {
    await writeFile(path, bytes)
    expect(await watch().input()).toBe(path)
    expect(await readFile(path)).toHaveLength(bytes.length)
  })

  test('is given up for good when others need what waits for it', async () => {
    const arrival = watch()
    const reading = buffer((await arrival.input()) as Readable)
    isInTheWay = true
    await expect(reading).rejects.toThrow(ArrivalGivenUp)
    isInTheWay = false
    await expect(arrival.whole()).rejects.toThrow(ArrivalGivenUp)
  })

  test('is given up when no more comes', async () => {
    await expect(watch({ stalledMs: 30 }).whole()).rejects.toThrow(ArrivalGivenUp)
  })

  test('is not waited for any longer than its work lasts', async () => {
    const stopping = new AbortController()
    const waiting = watch({ signal: stopping.signal }).whole()
    stopping.abort()
    await expect(waiting).rejects.toThrow('aborted')
  })

  test('that is taken away is no more waited for', async () => {
    const waiting = watch().whole()
    await rm(path)
    await expect(waiting).rejects.toThrow('ENOENT')
  })
})
