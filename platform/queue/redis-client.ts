import { Redis } from 'ioredis'
import type { Logger } from '../process/index.ts'

/** Redis does not answer now. The caller's database knows the work; it can be added again later. */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable'
}

const longestReconnectDelayMs = 2_000
const connectTimeoutMs = 5_000

/** The connections of one queue. */
export type RedisClients = {
  /**
   * A client that reconnects for as long as it lives. Commands wait for the connection; callers that cannot wait
   * use `withinTime`.
   */
  create(): Redis
  /** Cuts all of them, and with them whatever waits for an answer. */
  close(): void
}

export function createRedisClients(url: string, logger: Logger): RedisClients {
  const clients: Redis[] = []
  let away = false
  let closed = false

  function create(): Redis {
    const client = new Redis(url, {
      maxRetriesPerRequest: null,
      enableReadyCheck: false,
      connectTimeout: connectTimeoutMs,
      retryStrategy: (times) => Math.min(times * 100, longestReconnectDelayMs),
    })
    clients.push(client)
    // A client that was about to connect, or that Bull connects again while it pauses, would outlive its queue.
    client.on('connect', () => {
      if (closed) client.disconnect()
    })
    client.on('error', (err) => {
      // Every failed attempt of every client raises one; the first says it all.
      if (!away) logger.warn({ err }, 'redis is away')
      away = true
    })
    client.on('ready', () => {
      if (away) logger.info('redis is back')
      away = false
    })
    return client
  }

  return {
    create,
    close() {
      closed = true
      for (const client of clients) client.disconnect()
    },
  }
}

/** Whether an error only says that the connection is gone, which the clients themselves report. */
export function isConnectionError(error: Error): boolean {
  return error.message === 'Connection is closed.' || ('syscall' in error && error.syscall !== undefined)
}

/** @throws QueueUnavailable when `work` has not settled after `timeoutMs` */
export async function withinTime<Result>(timeoutMs: number, work: Promise<Result>): Promise<Result> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new QueueUnavailable(`redis did not answer within ${timeoutMs} ms`)),
    timeoutMs,
  )
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
