import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import path from 'node:path'

/** A process that writes in a loop must not fill the disk: two files of this size are kept per process. */
const defaultLimitBytes = 8 * 1024 * 1024

/** A text file that is appended to and turned over when it is full: `x.log` and, before it, `x.log.1`. */
export type LogFile = {
  readonly path: string
  append(text: string | Uint8Array): void
  /** The last lines, oldest first, over the turn of the file if need be. */
  tail(lines?: number): string
}

export function openLogFile(file: string, limitBytes = defaultLimitBytes): LogFile {
  mkdirSync(path.dirname(file), { recursive: true })
  let size = existsSync(file) ? statSync(file).size : 0
  return {
    path: file,
    append(text) {
      // Synchronous on purpose: a line written just before a crash has to be there afterwards, in order.
      appendFileSync(file, text)
      size += Buffer.byteLength(text)
      if (size < limitBytes) return
      renameSync(file, `${file}.1`)
      size = 0
    },
    tail: (lines = 20) => tailOfLog(file, lines),
  }
}

/** The last lines of a log file and of the one it was turned over from; empty when there is none. */
export function tailOfLog(file: string, lines = 20): string {
  const texts = [`${file}.1`, file]
    .filter((name) => existsSync(name))
    .map((name) => readFileSync(name, 'utf8'))
  return texts.join('').trimEnd().split('\n').slice(-lines).join('\n')
}
