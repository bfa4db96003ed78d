import { readdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { inspect } from 'node:util'
import { tailOfLog } from '../local-network/log-file.ts'
import { describeTestNetwork } from './test-network.ts'

/** A condition that did not come true in time; the message holds its last value and the last log lines. */
export class DeadlineError extends Error {
  override name = 'DeadlineError'
}

export type EventuallyOptions<T> = {
  /** What is waited for, as it should stand in the message: "the track in the index". */
  describe: string
  deadlineMs: number
  /** When the value is good enough. @default that it is truthy */
  until?(value: T): boolean
  /** Between two looks. @default 50 */
  everyMs?: number
  /**
   * The folder with the logs of the processes concerned.
   * @default the one of the network that the suite has started, if it has one
   */
  logDirectory?: string
}

const shownLines = 15

/**
 * Asks `condition` until its value will do, and resolves to that value. An error that it throws counts as
 * "not yet" and is shown if the deadline passes. `condition` gets a signal that is aborted at the deadline,
 * so that a request which never ends does not hold the test.
 */
export async function eventually<T>(
  condition: (signal: AbortSignal) => T | Promise<T>,
  options: EventuallyOptions<T>,
): Promise<T> {
  const { describe, deadlineMs, until = Boolean, everyMs = 50 } = options
  const signal = AbortSignal.timeout(deadlineMs)
  let last = 'it was never asked'
  while (!signal.aborted) {
    try {
      const value = await untilAborted(condition(signal), signal)
      if (until(value)) return value
      last = `its last value was ${inspect(value, { depth: 6, breakLength: 110 })}`
    } catch (error) {
      if (!signal.aborted) last = `it last failed with ${inspect(error)}`
      else last += ' (and the last look did not end)'
    }
    await wait(Math.min(everyMs, deadlineMs))
  }
  throw new DeadlineError(
    `${describe}: not within ${deadlineMs} ms; ${last}${lastWords(options.logDirectory)}`,
  )
}

function untilAborted<T>(value: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    Promise.resolve(value)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}

function lastWords(given: string | undefined): string {
  const directory = given ?? describeTestNetwork()?.logDirectory
  if (directory === undefined) return ''
  const files = readdirSync(directory).filter((name) => name.endsWith('.log'))
  return files.map((name) => `\n--- ${name}\n${tailOfLog(path.join(directory, name), shownLines)}`).join('')
}
