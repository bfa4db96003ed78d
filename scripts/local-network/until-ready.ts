import { setTimeout as wait } from 'node:timers/promises'
import type { LogFile } from './log-file.ts'
import type { OwnedProcess } from './owned-process.ts'

/** A process that ended or stayed silent before it was ready; the message ends with its last log lines. */
export class NotReadyError extends Error {
  override name = 'NotReadyError'
}

const pauseMs = 50
/** One question may take this long, so that a server that accepts and says nothing does not hold us. */
const probeTimeoutMs = 2_000

/**
 * Asks `isReady` until it says yes. When the process ends first, or the deadline passes, or `signal` is
 * aborted, the process is stopped and an error thrown. A probe that throws counts as "not yet"; the last
 * such error is part of the message.
 */
export async function untilReady(options: {
  name: string
  child: OwnedProcess
  log: LogFile
  isReady(signal: AbortSignal): Promise<boolean>
  deadlineMs: number
  signal: AbortSignal
}): Promise<void> {
  const { name, child, log, isReady, deadlineMs, signal } = options
  const endMs = Date.now() + deadlineMs
  let last = 'it did not answer'
  while (!signal.aborted && child.exit() === undefined && Date.now() < endMs) {
    try {
      if (await isReady(AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]))) return
      last = 'it answered that it is not ready'
    } catch (error) {
      last = describe(error)
    }
    await wait(pauseMs)
  }
  const exit = child.exit()
  await child.stop()
  signal.throwIfAborted()
  const reason =
    exit === undefined
      ? `was not ready within ${deadlineMs} ms (${last})`
      : `ended with ${exit.signal ?? `code ${exit.code}`} before it was ready`
  throw new NotReadyError(`${name} ${reason}. The end of ${log.path}:\n${log.tail()}`)
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // fetch() says only "fetch failed" and keeps the reason in its cause.
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return `${error.message}${cause}`
}
