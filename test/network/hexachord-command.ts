import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestNetwork } from '@hexachord/scripts/testing'

const program = fileURLToPath(import.meta.resolve('@hexachord/cli/package.json')).replace(
  'package.json',
  'main.ts',
)

export type Ended = { code: number; out: string; err: string }

/** The command as a user's shell runs it: its own process, its own settings, no terminal. */
export type HexachordCommand = {
  /** Where its settings are. */
  readonly home: string
  run(...args: string[]): Promise<Ended>
  /** The same in a terminal, where both outputs are one. */
  runInTerminal(...args: string[]): Promise<Ended>
  /** Runs a command that is to work, with --json. @returns what its one line says */
  answer<T>(...args: string[]): Promise<T>
}

/** @param directory for the settings and the password of the key */
export async function hexachordCommand(
  { urls }: Pick<TestNetwork, 'urls'>,
  directory: string,
): Promise<HexachordCommand> {
  const home = path.join(directory, 'home')
  const password = path.join(directory, 'password')
  await mkdir(home, { recursive: true })
  await writeFile(password, 'a long enough password\n')

  const ours = (args: string[]) => [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    program,
    ...args,
  ]
  const run = (...args: string[]) => start(ours(args))
  const runInTerminal = (...args: string[]) => {
    const quoted = ours(args).map((word) => `'${word}'`)
    return start(['script', '--quiet', '--return', '--command', quoted.join(' '), '/dev/null'])
  }

  function start([command = '', ...args]: string[]): Promise<Ended> {
    const child = spawn(command, args, {
      env: {
        PATH: process.env.PATH,
        // With what Node has compiled before, a command begins in half the time.
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        HEXACHORD_HOME: home,
        HEXACHORD_DISCOVERY: urls.discovery,
        HEXACHORD_CREATORS: urls.creator,
        HEXACHORD_PASSWORD_FILE: password,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk
    })
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => {
        clearTimeout(timer)
        resolve({ code: code ?? -1, out, err })
      })
    })
  }

  return {
    home,
    run,
    runInTerminal,
    async answer<T>(...args: string[]): Promise<T> {
      const { code, out, err } = await run(...args, '--json')
      if (code !== 0) throw new Error(`hexachord ${args.join(' ')} ended with ${code}: ${err}`)
      const [line = '', ...others] = out.trim().split('\n')
      if (others.length > 0) throw new Error(`hexachord ${args.join(' ')} said more than one line: ${out}`)
      return JSON.parse(line) as T
    },
  }
}
