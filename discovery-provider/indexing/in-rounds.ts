import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { isDatabaseAway } from './database-away.ts'

/** Does something again and again, in the one of several processes that writes, and waits while the database is away.
 * @param options.mayWrite whether this process is the one that writes; the others only answer
 * @param options.everyMs between the end of a round and the next
 * @param options.waiting what the log says while the database is away */
export function inRounds(options: {
  round: (signal: AbortSignal) => Promise<void>
  mayWrite: () => boolean
  everyMs: number
  waiting: string
  logger: Logger
  signal: AbortSignal
}): { close(): Promise<void> } {
  const { round, mayWrite, everyMs, waiting, logger } = options
  const stopping = new AbortController()
  const signal = AbortSignal.any([stopping.signal, options.signal])

  async function tryRound(): Promise<void> {
    try {
      await round(signal)
    } catch (error) {
      if (signal.aborted) return
      if (!isDatabaseAway(error)) throw error
      logger.warn({ err: error }, waiting)
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      if (mayWrite()) await tryRound()
      await delay(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  const running = run()
  return {
    async close() {
      stopping.abort()
      await running
    },
  }
}
