import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { OwnedProcess } from '../../local-network/owned-process.ts'
import { usageOf } from '../process-usage.ts'

/** One run of an indexer from an empty database. */
export type Run = {
  /** From the first range to the last, by the times of its own log. */
  readonly indexMs: number
  /** From the start of the process until all is indexed. */
  readonly readyMs: number
  readonly cpuMs: number
  readonly peakBytes: number
  /** What it wrote, in a form that is the same for all. */
  readonly rows: string
}

export type LogLine = { readonly time: number; readonly msg: string }

const pollMs = 50

/** Waits until a process has logged what says that it is done, and reads from its log how long that took.
 * @throws an error with the end of the log when it ends before that */
export async function timeIndexing(options: {
  readonly child: OwnedProcess
  readonly logFile: string
  readonly begins: (line: LogLine) => boolean
  readonly ends: (line: LogLine) => boolean
  readonly startedAtMs: number
  readonly withinMs: number
  readonly signal: AbortSignal
}): Promise<Omit<Run, 'rows'>> {
  const { child, logFile, begins, ends, startedAtMs, withinMs, signal } = options
  const deadlineMs = startedAtMs + withinMs
  for (;;) {
    const lines = linesOf(logFile)
    const begun = lines.find(begins)
    const ended = lines.find(ends)
    if (begun !== undefined && ended !== undefined) {
      const { cpuMs, peakBytes } = await usageOf(child.pid)
      const times = { indexMs: ended.time - begun.time, readyMs: ended.time - startedAtMs }
      return { ...times, cpuMs, peakBytes }
    }
    if (child.exit() !== undefined || Date.now() > deadlineMs) {
      throw new Error(`it did not finish indexing. Its log ends:\n${lastWords(logFile)}`)
    }
    await wait(pollMs, undefined, { signal })
  }
}

function linesOf(file: string): LogLine[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []))
}

function lastWords(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').slice(-3_000) : ''
}
