import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { SingleBar } from 'cli-progress'
import { UsageError } from '../settings/index.ts'

/** A bar on stderr where that is a terminal, and silence where it is not. */
export function progressBar(label: string, unit: 'bytes' | 'parts' | 'segments') {
  if (!process.stderr.isTTY) return { update: (_done: number, _total: number) => {}, stop: () => {} }
  const shown = (value: number) => (unit === 'bytes' ? `${(value / 1e6).toFixed(1)} MB` : String(value))
  const bar = new SingleBar({
    format: `${label.padEnd(12)} {bar} {percentage}% {done}`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
  })
  let started = false
  return {
    update(done: number, total: number): void {
      if (!started) bar.start(total, 0, { done: '' })
      started = true
      bar.setTotal(total)
      bar.update(done, { done: `${shown(done)} of ${shown(total)}` })
    },
    stop(): void {
      if (started) bar.stop()
    },
  }
}

/** The password of the key: from `HEXACHORD_PASSWORD_FILE`, else asked for without echo.
 * @throws UsageError where there is no terminal to ask at */
export async function askPassword(env: NodeJS.ProcessEnv, question: string): Promise<string> {
  if (env.HEXACHORD_PASSWORD_FILE) {
    return (await readFile(env.HEXACHORD_PASSWORD_FILE, 'utf8')).replace(/\r?\n$/, '')
  }
  return ask(question, true)
}

/** Asks twice for a new password. */
export async function askNewPassword(env: NodeJS.ProcessEnv): Promise<string> {
  const password = await askPassword(env, 'New password (8 characters at least): ')
  if (env.HEXACHORD_PASSWORD_FILE || (await ask('The same again: ', true)) === password) return password
  throw new UsageError('the two passwords differ')
}

export async function ask(question: string, hidden = false): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new UsageError('there is no terminal to ask at: set HEXACHORD_PASSWORD_FILE, or give the option')
  }
  process.stderr.write(question)
  const output = hidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr
  const reader = createInterface({ input: process.stdin, output, terminal: true })
  try {
    return await reader.question('')
  } finally {
    reader.close()
    if (hidden) process.stderr.write('\n')
  }
}
