import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../testing/eventually.ts'
import { type Job, PermanentFailure } from './index.ts'
import { createQueueBench, type Note, type QueueBench } from './testing/queue-bench.ts'

describe('a queue', () => {
  let bench: QueueBench
  let open: QueueBench['open']

  beforeEach(async () => {
    bench = await createQueueBench()
    ;({ open } = bench)
  })

  afterEach(() => bench.close())

  test('gives a job its id, its data and its attempt', async () => {
    const seen = Promise.withResolvers<Partial<Job<Note>>>()
    const queue = open({ process: async ({ id, data, attempt }) => seen.resolve({ id, data, attempt }) })
    expect(await queue.add('a', { note: 'hello' })).toBe('added')
    expect(await seen.promise).toEqual({ id: 'a', data: { note: 'hello' }, attempt: 1 })
  })

  test('runs as many jobs at once as it may', async () => {
    const release = Promise.withResolvers<void>()
    let running = 0
    const queue = open({
      concurrency: 2,
      process: async () => {
        running += 1
        await release.promise
      },
    })
    for (const id of ['a', 'b', 'c']) await queue.add(id, { note: id })
    await eventually(async () => expect(await queue.counts()).toMatchObject({ active: 2, waiting: 1 }))
    expect(running).toBe(2)
    release.resolve()
    await eventually(() => expect(running).toBe(3))
  })

  test('takes an id once while its job waits or runs, and again when it has ended', async () => {
    const release = Promise.withResolvers<void>()
    let runs = 0
    const queue = open({
      process: async () => {
        runs += 1
        await release.promise
      },
    })
    expect(await queue.add('a', { note: '1' })).toBe('added')
    await eventually(() => expect(runs).toBe(1))
    expect(await queue.add('a', { note: '2' })).toBe('present')
    await queue.add('b', { note: '1' })
    expect(await queue.add('b', { note: '2' })).toBe('present')
    release.resolve()
    await eventually(async () => expect(await queue.add('a', { note: '3' })).toBe('added'))
  })

  test('leaves no connection when it is closed, however soon', async () => {
    for (const ms of [0, 2, 5, 10, 20]) {
      const queue = open({ process: async () => {} })
      await delay(ms)
      await queue.close()
    }
    // The one that asks is there itself.
    await eventually(async () => expect(await bench.connections()).toBe(1))
  })

  describe('with a job that fails', () => {
    test('tries again, and again, until it succeeds', async () => {
      const attempts: number[] = []
      const queue = open({
        process: async ({ attempt }) => {
          attempts.push(attempt)
          if (attempt < 3) throw new Error('not yet')
        },
      })
      await queue.add('a', { note: 'x' })
      await eventually(() => expect(attempts).toEqual([1, 2, 3]))
      await eventually(async () =>
        expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, parked: 0 }),
      )
    })

    test('parks it with its reason after the last attempt, and tells its owner', async () => {
      const parked: unknown[] = []
      const queue = open({
        attempts: 2,
        process: () => Promise.reject(new Error('the disk is full')),
        onParked: (job) => void parked.push(job),
      })
      await queue.add('a', { note: 'x' })
      await eventually(async () =>
        expect(await queue.parked()).toEqual([
          {
            id: 'a',
            data: { note: 'x' },
            reason: 'the disk is full',
            attempts: 2,
            parkedAt: expect.any(Number),
          },
        ]),
      )
      expect(parked).toEqual([{ id: 'a', data: { note: 'x' }, reason: 'the disk is full' }])
      expect(await queue.add('a', { note: 'again' })).toBe('parked')
    })

    test('parks it at once when it can never succeed', async () => {
      let runs = 0
      const queue = open({
        process: async () => {
          runs += 1
          throw new PermanentFailure('this is not audio')
        },
      })
      await queue.add('a', { note: 'x' })
      await eventually(async () =>
        expect(await queue.parked()).toMatchObject([{ id: 'a', reason: 'this is not audio' }]),
      )
      expect(runs).toBe(1)
    })

    test('gives a parked job all its attempts anew when it is retried', async () => {
      let broken = true
      const attempts: number[] = []
      const queue = open({
        attempts: 2,
        process: async ({ attempt }) => {
          attempts.push(attempt)
          if (broken) throw new Error('x')
        },
      })
      await queue.add('a', { note: 'x' })
      await eventually(async () => expect(await queue.parked()).toHaveLength(1))
      expect(await queue.retry('b')).toBe(false)
      broken = false
      expect(await queue.retry('a')).toBe(true)
      await eventually(() => expect(attempts).toEqual([1, 2, 1]))
      expect(await queue.parked()).toEqual([])
    })
  })

  describe('that closes', () => {
    test('waits for a job that ends soon, and it has ended', async () => {
      const begun = Promise.withResolvers<void>()
      const queue = open({
        process: async ({ signal }) => {
          begun.resolve()
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
      })
      await queue.add('a', { note: 'x' })
      await begun.promise
      await queue.close()
      const next = open({ process: async () => {} })
      expect(await next.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, parked: 0 })
    })

    test('puts a job back that it had to stop, with all its attempts', async () => {
      for (let restart = 0; restart < 3; restart += 1) {
        const begun = Promise.withResolvers<number>()
        const queue = open({
          attempts: 1,
          process: async ({ signal, attempt }) => {
            begun.resolve(attempt)
            await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          },
        })
        await queue.add('a', { note: 'x' })
        expect(await begun.promise).toBe(1)
        await queue.close()
      }
      const ended = Promise.withResolvers<number>()
      const queue = open({ attempts: 1, process: async ({ attempt }) => ended.resolve(attempt) })
      expect(await ended.promise).toBe(1)
      await eventually(async () => expect(await queue.counts()).toMatchObject({ active: 0, parked: 0 }))
    })

    test('does not wait for ever for a job that does not listen, which the next process runs', async () => {
      const begun = Promise.withResolvers<void>()
      const queue = open({
        closeGraceMs: 50,
        process: async () => {
          begun.resolve()
          await new Promise(() => {})
        },
      })
      await queue.add('a', { note: 'x' })
      await begun.promise
      await queue.close()
      const ran = Promise.withResolvers<string>()
      open({ process: async ({ id }) => ran.resolve(id) })
      expect(await ran.promise).toBe('a')
    })
  })
})
