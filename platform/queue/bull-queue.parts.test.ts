import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { createLogger } from '../process/index.ts'
import {
  createQueue,
  type Job,
  PermanentFailure,
  type Queue,
  type QueueOptions,
  QueueUnavailable,
} from './index.ts'
import { type OwnRedis, ownRedis } from './testing/own-redis.ts'

type Note = { note: string }

const logger = createLogger({ service: 'test', level: 'silent' })

describe('a queue', () => {
  let redis: OwnRedis
  let name = ''
  let queues: Queue<Note>[] = []

  beforeEach(async () => {
    redis = await ownRedis()
    name = `test-${randomBytes(4).toString('hex')}`
    await redis.start()
  })

  afterEach(async () => {
    await Promise.all(queues.map((queue) => queue.close()))
    queues = []
    await redis.kill()
  })

  function open(options: Partial<QueueOptions<Note>> & Pick<QueueOptions<Note>, 'process'>): Queue<Note> {
    const queue = createQueue<Note>({
      name,
      redisUrl: redis.url,
      logger,
      backoffMs: 1,
      closeGraceMs: 200,
      ...options,
    })
    queues.push(queue)
    return queue
  }

  async function flush(): Promise<void> {
    const client = new Redis(redis.url)
    await client.flushall()
    client.disconnect()
  }

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
      await flush()
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
      await flush()
      expect(await queue.add('a', { note: 'x' })).toBe('added')
      await eventually(async () => expect(await queue.counts()).toMatchObject({ active: 1 }))
      expect(releases).toHaveLength(1)
      releases[0]?.()
      await eventually(() => expect(ended).toBe(1))
      expect(await queue.add('b', { note: 'x' })).toBe('added')
      await eventually(() => expect(releases.length).toBeGreaterThan(1))
      for (const release of releases) release()
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
      await flush()
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
      await flush()
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
    await flush()
    go.resolve()
    await eventually(() => expect(ended).toBe(true))
    await queue.ping()
  })
})

/** Waits until `check` passes; its last failure is the test's. */
async function eventually(check: () => Promise<void> | void): Promise<void> {
  const deadline = Date.now() + 4_000
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
