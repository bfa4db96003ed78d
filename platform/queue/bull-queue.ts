import { setTimeout as delay } from 'node:timers/promises'
import Bull from 'bull'
import type { Logger } from '../process/index.ts'
import { createRedisClients, isConnectionError, QueueUnavailable, withinTime } from './redis-client.ts'
import { createRunningJobs } from './running-jobs.ts'

/** One delivery of a job. It may have run before, in part or in whole: work must be idempotent. */
export type Job<Data> = {
  id: string
  data: Data
  /** 1 for the first try. */
  attempt: number
  /** Aborts when the queue closes; a job that then rejects keeps its place and its attempts. */
  signal: AbortSignal
  /** Shows progress, 0 to 100, to whoever looks into Redis. Never fails. */
  progress(percent: number): void
}

/** A job that is given up until someone retries it. */
export type ParkedJob<Data> = { id: string; data: Data; reason: string; attempts: number; parkedAt: number }

/** Thrown by a job that cannot succeed however often it is tried: it is parked at once. */
export class PermanentFailure extends Error {
  override readonly name = 'PermanentFailure'
}

export type Queue<Data> = {
  /**
   * Queues a job unless one of this id waits, runs or is parked.
   * @throws QueueUnavailable when Redis does not answer
   */
  add(id: string, data: Data): Promise<'added' | 'present' | 'parked'>
  /** Parked jobs, newest first, at most 1,000. */
  parked(): Promise<ParkedJob<Data>[]>
  /** Queues a parked job anew with all its attempts; false when no such job is parked. */
  retry(id: string): Promise<boolean>
  counts(): Promise<{ waiting: number; active: number; delayed: number; parked: number }>
  /** Rejects with QueueUnavailable unless Redis answers; for `/ready`. */
  ping(): Promise<void>
  /** Takes no more jobs, aborts those that run, waits for them for a bounded time and puts them back. */
  close(): Promise<void>
}

export type QueueOptions<Data> = {
  /** Also the name of its keys. One process at a time works on a name; what it left running is resumed at start. */
  name: string
  redisUrl: string
  logger: Logger
  /** Jobs at a time. @default 1 */
  concurrency?: number
  /** Tries before a job is parked; a crash of the process counts as one. @default 5 */
  attempts?: number
  /** Before the second try; doubles with each further one. @default 1 s */
  backoffMs?: number
  process: (job: Job<Data>) => Promise<void>
  /** Called once a job is parked, so that its owner can record the reason. */
  onParked?: (parked: { id: string; data: Data; reason: string }) => Promise<void> | void
  /**
   * The owner's unfinished jobs by its database. They are added at start, after each reconnection and every
   * `refillMs`, so that a flushed Redis loses nothing.
   */
  unfinished?: () => Promise<Iterable<{ id: string; data: Data }>> | Iterable<{ id: string; data: Data }>
  /** @default 10 s */
  refillMs?: number
  /** How long a call waits for Redis. @default 5 s */
  answerTimeoutMs?: number
  /** How long `close` waits for running jobs. @default 8 s */
  closeGraceMs?: number
}

/** A worker that does not renew its claim for this long has crashed or hangs. */
const lockMs = 15_000
const stalledCheckMs = 5_000
const parkedLimit = 1_000
const defaultAnswerTimeoutMs = 5_000
const recordTimeoutMs = 2_000

/**
 * Where a job is, and for one that is nowhere: removes the remains under its key. After a flush Bull writes a failed
 * attempt of the running job to a key of its own, which would make it ignore the job when it is added again.
 */
const findOrClearScript = `
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 'parked' end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 'present' end
for i = 3, 5 do
  if redis.call('LPOS', KEYS[i], ARGV[1]) then return 'present' end
end
redis.call('DEL', KEYS[6])
return 'absent'`

/** Only a delivery that Redis still knows of has a place to go back to: a flush, or a second delivery, ends it. */
const putBackScript = `
if redis.call('LREM', KEYS[1], 1, ARGV[1]) > 0 then redis.call('RPUSH', KEYS[2], ARGV[1]) end
redis.call('DEL', KEYS[3])`

/** A queue of jobs in Redis by Bull. Returns at once; it works whenever Redis is there. */
export function createQueue<Data>(options: QueueOptions<Data>): Queue<Data> {
  const logger = options.logger.child({ queue: options.name })
  const attempts = options.attempts ?? 5
  const answerTimeoutMs = options.answerTimeoutMs ?? defaultAnswerTimeoutMs
  const running = createRunningJobs()
  /** Successful jobs whose end is not yet written to Redis. */
  const recording = new Set<string>()
  const clients = createRedisClients(options.redisUrl, logger)
  let closing: Promise<void> | null = null
  let refilling = false

  const bull = new Bull<Data>(options.name, {
    prefix: 'hexachord',
    createClient: () => clients.create(),
    settings: {
      lockDuration: lockMs,
      lockRenewTime: lockMs / 3,
      stalledInterval: stalledCheckMs,
      maxStalledCount: attempts - 1,
      guardInterval: 1_000,
      retryProcessDelay: 500,
    },
    defaultJobOptions: {
      attempts,
      backoff: { type: 'exponential', delay: options.backoffMs ?? 1_000 },
      removeOnComplete: true,
      removeOnFail: parkedLimit,
    },
  })
  // Bull names its connection for monitors by a command whose failure nobody hears; were the connection cut just
  // then, the unhandled rejection would end the process.
  Object.assign(bull, { setWorkerName: () => Promise.resolve() })
  bull.on('error', (err) => {
    if (closing === null && !isConnectionError(err)) logger.warn({ err }, 'queue error')
    recording.clear()
  })
  bull.on('completed', (job) => recording.delete(String(job.id)))
  bull.on('failed', (job: Bull.Job<Data> | null, error) => {
    // Attempts are counted by `deliver`; a crash is only seen here, by the worker that finds what it left.
    if (job !== null && error.message.startsWith('job stalled'))
      void park(job, 'the process crashed while it ran')
  })

  async function park(job: Bull.Job<Data>, reason: string): Promise<void> {
    logger.error({ job: job.id, reason }, 'job parked')
    await options.onParked?.({ id: String(job.id), data: job.data, reason })
  }

  async function deliver(job: Bull.Job<Data>): Promise<void> {
    const id = String(job.id)
    try {
      await running.run(id, (signal) =>
        options.process({
          id,
          data: job.data,
          attempt: job.attemptsMade + 1,
          signal,
          progress: (percent) => {
            job
              .progress(percent)
              .catch((err: unknown) => logger.debug({ err, job: id }, 'progress not shown'))
          },
        }),
      )
      recording.add(id)
    } catch (error) {
      if (closing !== null) {
        await putBack(id)
        // Bull must not count this as a failed attempt: it never learns how the job ended.
        await new Promise(() => {})
      }
      const reason = error instanceof Error ? error.message : String(error)
      logger.warn({ err: error, job: id, attempt: job.attemptsMade + 1 }, 'job failed')
      if (error instanceof PermanentFailure) await job.discard()
      if (error instanceof PermanentFailure || job.attemptsMade + 1 >= attempts) await park(job, reason)
      throw error
    }
  }

  /** Undoes a delivery: the job waits again, first in line. */
  async function putBack(id: string): Promise<void> {
    const keys = [bull.toKey('active'), bull.toKey('wait'), `${bull.toKey(id)}:lock`]
    await bull.client.eval(putBackScript, keys.length, ...keys, id)
  }

  /** What was active when this process starts was left by a crash: frees it now rather than when its lock ends. */
  async function freeAbandoned(): Promise<void> {
    const abandoned = await bull.client.lrange(bull.toKey('active'), 0, -1)
    if (abandoned.length === 0) return
    const free = bull.client.multi().del(bull.toKey('stalled-check'))
    for (const id of abandoned) free.del(`${bull.toKey(id)}:lock`)
    await free.sadd(bull.toKey('stalled'), ...abandoned).exec()
  }

  async function start(): Promise<void> {
    try {
      await freeAbandoned()
      if (closing === null) await bull.process(options.concurrency ?? 1, deliver)
    } catch (error) {
      // Closing cuts the connections, and with them whatever waited for Redis.
      if (closing === null) throw error
    }
  }

  async function add(id: string, data: Data): Promise<'added' | 'present' | 'parked'> {
    const keys = ['failed', 'delayed', 'wait', 'active', 'paused', id].map((key) => bull.toKey(key))
    const place = await bull.client.eval(findOrClearScript, keys.length, ...keys, id)
    if (place === 'parked' || place === 'present') return place
    await bull.add(data, { jobId: id })
    return 'added'
  }

  async function retry(id: string): Promise<boolean> {
    const job = await bull.getJob(id)
    if (job === null || !(await job.isFailed())) return false
    await job.remove()
    await add(id, job.data)
    return true
  }

  async function refill(): Promise<void> {
    if (options.unfinished === undefined || refilling) return
    refilling = true
    try {
      for (const { id, data } of await options.unfinished()) {
        if (closing !== null) return
        await withinTime(answerTimeoutMs, add(id, data))
      }
    } catch (err) {
      // The next round tries again; while Redis is away that is already in the log.
      if (!(err instanceof QueueUnavailable) && closing === null) logger.error({ err }, 'refilling failed')
    } finally {
      refilling = false
    }
  }

  async function shutDown(): Promise<void> {
    clearInterval(refillTimer)
    await bull.pause(true, true).catch((err: unknown) => logger.debug({ err }, 'pausing failed'))
    await running.stop(options.closeGraceMs ?? 8_000)
    const recordBy = Date.now() + recordTimeoutMs
    while (recording.size > 0 && Date.now() < recordBy) await delay(10)
    const closed = bull.close(true).catch((err: unknown) => logger.debug({ err }, 'closing failed'))
    await withinTime(recordTimeoutMs, closed).catch((err: unknown) =>
      logger.debug({ err }, 'closing took long'),
    )
    clients.close()
  }

  // A worker that cannot start is a fault of the program: the rejection ends the process loudly.
  void start()
  const refillTimer = setInterval(() => void refill(), options.refillMs ?? 10_000)
  bull.client.on('ready', () => void refill())

  return {
    add: (id, data) => withinTime(answerTimeoutMs, add(id, data)),
    async parked() {
      const jobs = await withinTime(answerTimeoutMs, bull.getFailed(0, parkedLimit - 1))
      return jobs.map((job) => ({
        id: String(job.id),
        data: job.data,
        reason: job.failedReason ?? 'unknown',
        attempts: job.attemptsMade,
        parkedAt: job.finishedOn ?? 0,
      }))
    },
    retry: (id) => withinTime(answerTimeoutMs, retry(id)),
    async counts() {
      const counts = await withinTime(answerTimeoutMs, bull.getJobCounts())
      return {
        waiting: counts.waiting,
        active: counts.active,
        delayed: counts.delayed,
        parked: counts.failed,
      }
    },
    async ping() {
      await withinTime(answerTimeoutMs, bull.client.ping())
    },
    close() {
      closing ??= shutDown()
      return closing
    },
  }
}
