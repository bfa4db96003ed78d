import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../testing/eventually.ts'
import { QueueUnavailable } from './index.ts'
import type { OwnRedis } from './testing/own-redis.ts'
import { createQueueBench, type Note, type QueueBench } from './testing/queue-bench.ts'

describe('a queue in trouble', () => {
  let bench: QueueBench
  let redis: OwnRedis
  let name = ''
  let open: QueueBench['open']

  beforeEach(async () => {
    bench = await createQueueBench()
    ;({ redis, name, open } = bench)
  })

  afterEach(() => bench.close())

  describe('when Redis is flushed', () => {
    test('takes a waiting job again at once', async () => {
      const release = Promise.withResolvers<void>()
      const runs: string[] = []
      const queue = open({
        process: async ({ id }) => {
          runs.push(id)
          await release.promise
        },
      })
      await queue.add('first', { note: 'x' })
      await queue.add('second', { note: 'x' })
      await eventually(() => expect(runs).toEqual(['first']))
      await bench.flush()
      expect(await queue.add('second', { note: 'x' })).toBe('added')
      release.resolve()
      await eventually(() => expect(runs).toContain('second'))
    })

    test('lets a running job end, and does not run it twice at a time when it is added again', async () => {
      const releases: (() => void)[] = []
      let ended = 0
      const queue = open({
        concurrency: 2,
        process: async () => {
          await new Promise<void>((resolve) => releases.push(resolve))
          ended += 1
        },
      })
      await queue.add('a', { note: 'x' })
      await eventually(() => expect(releases).toHaveLength(1))
      await bench.flush()
      expect(await queue.add('a', { note: 'x' })).toBe('added')
      await eventually(async () => expect(await queue.counts()).toMatchObject({ active: 1 }))
      expect(releases).toHaveLength(1)
      releases[0]?.()
      await eventually(() => expect(ended).toBe(1))
      expect(await queue.add('b', { note: 'x' })).toBe('added')
      await eventually(() => expect(releases.length).toBeGreaterThan(1))
      for (const release of releases) release()
    })

    test('puts a job back once when it closes, however often it was delivered, or not at all', async () => {
      for (const addAgain of [true, false]) {
        const begun = Promise.withResolvers<void>()
        const queue = open({
          concurrency: 2,
          process: async ({ signal }) => {
            begun.resolve()
            await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          },
        })
        await queue.add('a', { note: 'x' })
        await begun.promise
        await bench.flush()
        if (addAgain) {
          await queue.add('a', { note: 'x' })
          await eventually(async () => expect(await queue.counts()).toMatchObject({ active: 1 }))
        }
        await queue.close()
        expect(await bench.waiting()).toEqual(addAgain ? ['a'] : [])
      }
    })

    test('takes a job again that failed after the flush', async () => {
      const fail = Promise.withResolvers<never>()
      let runs = 0
      const queue = open({
        process: async () => {
          runs += 1
          if (runs === 1) await fail.promise
        },
      })
      await queue.add('a', { note: 'x' })
      await eventually(() => expect(runs).toBe(1))
      await bench.flush()
      fail.reject(new Error('failed after the flush'))
      await eventually(async () => {
        await queue.add('a', { note: 'x' })
        expect(runs).toBeGreaterThan(1)
      })
    })

    test('fills itself from what its owner says is unfinished', async () => {
      const unfinished = new Map([['a', { note: 'x' }]])
      let runs = 0
      const release = Promise.withResolvers<void>()
      open({
        refillMs: 20,
        unfinished: () => [...unfinished].map(([id, data]) => ({ id, data })),
        process: async ({ id }) => {
          runs += 1
          if (id === 'a') await release.promise
          unfinished.delete(id)
        },
      })
      await eventually(() => expect(runs).toBe(1))
      unfinished.set('b', { note: 'y' })
      await bench.flush()
      release.resolve()
      await eventually(() => expect(unfinished.size).toBe(0))
    })
  })

  describe('when Redis is away', () => {
    test('waits for it at the start', async () => {
      await redis.kill()
      const ran = Promise.withResolvers<string>()
      const queue = open({
        process: async ({ id }) => ran.resolve(id),
        unfinished: () => [{ id: 'a', data: { note: 'x' } }],
      })
      await redis.start()
      expect(await ran.promise).toBe('a')
      await queue.ping()
    })

    test('goes on when it comes back', async () => {
      const ran: string[] = []
      const queue = open({ process: async ({ id }) => void ran.push(id) })
      await queue.add('before', { note: 'x' })
      await eventually(() => expect(ran).toEqual(['before']))
      await redis.kill()
      await redis.start()
      await queue.add('after', { note: 'x' })
      await eventually(() => expect(ran).toEqual(['before', 'after']))
    })

    test('ends a job that ran meanwhile and does not lose it', async () => {
      const release = Promise.withResolvers<void>()
      let runs = 0
      const unfinished = new Set(['a'])
      open({
        unfinished: () => [...unfinished].map((id) => ({ id, data: { note: 'x' } })),
        refillMs: 20,
        process: async ({ id }) => {
          runs += 1
          await release.promise
          unfinished.delete(id)
        },
      })
      await eventually(() => expect(runs).toBe(1))
      await redis.kill()
      release.resolve()
      await eventually(() => expect(unfinished.size).toBe(0))
      await redis.start()
    })

    test('says so to whoever asks, in bounded time', async () => {
      const queue = open({ process: async () => {}, answerTimeoutMs: 100 })
      await queue.ping()
      await redis.kill()
      await expect(queue.ping()).rejects.toThrow(QueueUnavailable)
      await expect(queue.add('a', { note: 'x' })).rejects.toThrow('redis did not answer within 100 ms')
    })

    test('closes all the same', async () => {
      const queue = open({ process: async () => {} })
      await queue.ping()
      await redis.kill()
      await queue.close()
    })

    test('closes even when it never was there', async () => {
      await redis.kill()
      const queue = open({ process: async () => {} })
      await queue.close()
    })
  })

  test('runs a job again whose process was killed', async () => {
    const program = fileURLToPath(new URL('testing/worker.ts', import.meta.url))
    const child = spawn(process.execPath, [program, redis.url, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise<void>((resolve) =>
      child.stdout.on('data', (text) => String(text).includes('began unlucky') && resolve()),
    )
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    const ran = Promise.withResolvers<Note>()
    open({ process: async ({ data }) => ran.resolve(data) })
    expect(await ran.promise).toEqual({ note: 'survives' })
  })

  test('parks a job that kills its process every time, with a reason', async () => {
    const program = fileURLToPath(new URL('testing/worker.ts', import.meta.url))
    for (let crash = 0; crash < 2; crash += 1) {
      const child = spawn(process.execPath, [program, redis.url, name], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await new Promise<void>((resolve) =>
        child.stdout.on('data', (text) => String(text).includes('began') && resolve()),
      )
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
    }
    const parked = Promise.withResolvers<unknown>()
    let runs = 0
    const queue = open({
      attempts: 2,
      process: async () => {
        runs += 1
      },
      onParked: (job) => parked.resolve(job),
    })
    expect(await parked.promise).toEqual({
      id: 'unlucky',
      data: { note: 'survives' },
      reason: 'the process crashed while it ran',
    })
    expect(runs).toBe(0)
    expect(await queue.parked()).toHaveLength(1)
  })

  test('shows progress without ever failing the job, even when its place is gone', async () => {
    const begun = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    let ended = false
    const queue = open({
      process: async ({ progress }) => {
        progress(10)
        begun.resolve()
        await go.promise
        progress(90)
        ended = true
      },
    })
    await queue.add('a', { note: 'x' })
    await begun.promise
    await bench.flush()
    go.resolve()
    await eventually(() => expect(ended).toBe(true))
    await queue.ping()
  })
})
