import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Postgres, PostgresClient } from './open-postgres.ts'

/** Someone else holds the lock. */
export class LockHeld extends Error {
  override readonly name = 'LockHeld'
}

const retryMs = 500

/** How often the session that holds the lock is asked whether it still lives. */
const heartbeatMs = 5_000

/**
 * Runs `work` while holding the session lock called `name` in this database; at most one holder at any time.
 * The lock ends with its connection: `work`'s signal aborts when that is lost, or when the caller's signal does.
 * @throws LockHeld when another holds it and `wait` is false
 */
export async function withAdvisoryLock<Result>(
  postgres: Postgres,
  name: string,
  work: (signal: AbortSignal) => Promise<Result>,
  options: {
    signal?: AbortSignal
    /** Whether to wait for another holder to end. @default true */
    wait?: boolean
  } = {},
): Promise<Result> {
  const key = lockKey(name)
  return postgres.withClient(async (client) => {
    while (!(await tryLock(client, key))) {
      if (options.wait === false) throw new LockHeld(`another process holds the lock ${name}`)
      await delay(retryMs, undefined, { signal: options.signal })
    }
    const lost = new AbortController()
    const lose = (error: Error) => lost.abort(error)
    client.on('error', lose)
    const heartbeat = setInterval(() => {
      client.query('SELECT 1').catch(lose)
    }, heartbeatMs)
    try {
      const signals = options.signal === undefined ? [lost.signal] : [lost.signal, options.signal]
      return await work(AbortSignal.any(signals))
    } finally {
      clearInterval(heartbeat)
      client.off('error', lose)
      // A session that is lost has lost its lock too.
      if (!lost.signal.aborted) await client.query('SELECT pg_advisory_unlock($1)', [key])
    }
  })
}

async function tryLock(client: PostgresClient, key: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [key])
  return rows[0]?.locked === true
}

/** Postgres names locks by a signed 64-bit number. */
function lockKey(name: string): string {
  return createHash('sha256').update(name).digest().readBigInt64BE().toString()
}
