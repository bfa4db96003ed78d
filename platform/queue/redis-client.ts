import { Redis } from 'ioredis'
import type { Logger } from '../process/index.ts'

/** Redis does not answer now. The caller's database knows the work; it can be added again later. */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable'
}

const longestReconnectDelayMs = 2_000
const connectTimeoutMs = 5_000

/**
 * A client that reconnects for as long as it lives. Commands wait for the connection; callers that cannot wait use
 * `withinTime`.
 */
export function createRedisClient(url: string, logger: Logger): Redis {
  const client = new Redis(url, {
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    connectTimeout: connectTimeoutMs,
    retryStrategy: (times) => Math.min(times * 100, longestReconnectDelayMs),
  })
  let away = false
  client.on('error', (err) => {
    // Every failed attempt to connect raises one; the first says it all.
    if (!away) logger.warn({ err }, 'redis is away')
    away = true
  })
  client.on('ready', () => {
    if (away) logger.info('redis is back')
    away = false
  })
  return client
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
