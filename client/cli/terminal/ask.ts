import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { UsageError } from '../settings/index.ts'

type Asked = { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal }

/** The password of the key: from `HEXACHORD_PASSWORD_FILE`, else asked for without echo.
 * @throws UsageError where there is no terminal to ask at */
export async function askPassword(context: Asked, question: string): Promise<string> {
  const path = context.env.HEXACHORD_PASSWORD_FILE
  if (!path) return ask(context, question, { hidden: true, instead: 'set HEXACHORD_PASSWORD_FILE' })
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '')
  } catch (cause) {
    throw new UsageError(`HEXACHORD_PASSWORD_FILE cannot be read: ${String(cause)}`, { cause })
  }
}

/** Asks twice for a new password. @throws UsageError */
export async function askNewPassword(context: Asked): Promise<string> {
  const password = await askPassword(context, 'New password (8 characters at least): ')
  if (context.env.HEXACHORD_PASSWORD_FILE) return password
  if ((await askPassword(context, 'The same again: ')) === password) return password
  throw new UsageError('the two passwords differ')
}

/** Asks for a `yes`. @param instead what to do where there is no terminal @throws UsageError, and the signal's reason */
export async function confirmed(
  context: Asked,
  question: string,
  options: { instead: string },
): Promise<boolean> {
  return (await ask(context, `${question} Type 'yes': `, options)).trim() === 'yes'
}

/** @param instead what to do where there is no terminal
 * @throws UsageError, and the signal's reason */
export async function ask(
  { signal }: Asked,
  question: string,
  { hidden = false, instead }: { hidden?: boolean; instead: string },
): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError(`there is no terminal to ask at: ${instead}`)
  const output = hidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr
  const reader = createInterface({ input: process.stdin, output, terminal: true })
  // Only now that the terminal does not echo any more.
  process.stderr.write(question)
  const { promise: ended, reject } = Promise.withResolvers<never>()
  reader.once('close', () => reject(new UsageError('no answer was given')))
  // In raw mode Ctrl-C is a key like others: make it again what it is elsewhere.
  reader.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    return await Promise.race([reader.question('', { signal }), ended])
  } finally {
    reader.close()
    if (hidden) process.stderr.write('\n')
  }
}
