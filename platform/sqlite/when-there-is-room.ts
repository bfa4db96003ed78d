import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../process/index.ts'
import { isDatabaseFull } from './database-full.ts'

export type RoomOptions = {
  /** What waits, for the log. */
  readonly what: string
  /** Ends the waiting. */
  readonly signal: AbortSignal
  readonly logger: Pick<Logger, 'error' | 'info'>
  /** Between two tries, in ms. @default 1 s */
  readonly retryMs?: number
}

const defaultRetryMs = 1_000
/** Between two complaints about one thing that waits. */
const complainEveryMs = 60_000

/**
 * Does work that may be done again from its beginning, and does it again for as long as the database's disk has no room
 * for what it writes: others may have filled it, and may make room again. Complains at first and once a minute.
 * @throws whatever else goes wrong, and a reason to end once `signal` is aborted
 */
export async function whenThereIsRoom<Result>(
  work: () => Result | Promise<Result>,
  { what, signal, logger, retryMs = defaultRetryMs }: RoomOptions,
): Promise<Result> {
  let complainedAt: number | undefined
  for (;;) {
    signal.throwIfAborted()
    try {
      const result = await work()
      if (complainedAt !== undefined) logger.info({ what }, 'there is room on the disk again')
      return result
    } catch (err) {
      if (!isDatabaseFull(err)) throw err
      if (complainedAt === undefined || performance.now() - complainedAt >= complainEveryMs) {
        complainedAt = performance.now()
        logger.error({ err, what }, 'the disk is full: this waits for room')
      }
    }
    await delay(retryMs, undefined, { signal })
  }
}
