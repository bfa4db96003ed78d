import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { LogFile } from './log-file.ts'
import { signalGroup } from './signal-group.ts'

/** How a process ended: one of both is set. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null }

/** A child in a process group of its own, which cannot outlive us: see guard.ts. */
export type OwnedProcess = {
  readonly pid: number
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<Exit>
  /** The exit, once it has happened. */
  exit(): Exit | undefined
  /** Ends it: its stop signal, then SIGKILL for the whole group after the time that it is given. Safe to call twice. */
  stop(): Promise<Exit>
  /** SIGKILL to the whole group, as a power cut would do. */
  kill(): Promise<Exit>
}

export type OwnedProcessOptions = {
  command: string
  args: string[]
  /** The whole environment of the child, apart from what every child gets (see `inheritedEnvironment`). */
  env?: Record<string, string>
  cwd: string
  /** Both output streams go there. */
  log: LogFile
  /** The account to run as; ours when absent. */
  account?: { uid: number; gid: number } | undefined
  /** @default 'SIGTERM' */
  stopSignal?: NodeJS.Signals
  /** From the stop signal to SIGKILL. @default 15_000 */
  stopTimeoutMs?: number
}

const lastWordsMs = 1_000

/** A program that could not be started at all. */
export class SpawnError extends Error {
  override name = 'SpawnError'
}

/** Starts a program. Resolves once it runs (which does not mean that it is ready). */
export async function startOwnedProcess(options: OwnedProcessOptions): Promise<OwnedProcess> {
  const { command, args, cwd, log, account, stopSignal = 'SIGTERM', stopTimeoutMs = 15_000 } = options
  const child = spawn(command, args, {
    cwd,
    env: { ...inheritedEnvironment(), ...options.env },
    ...account,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.on('data', (chunk: Buffer) => log.append(chunk))
  child.stderr.on('data', (chunk: Buffer) => log.append(chunk))
  const pid = await spawned(child, command)
  guard.watch(pid, stopSignal)

  let ended: Exit | undefined
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      const exit = { code, signal }
      ended = exit
      // What the process started and did not wait for is ended with it.
      signalGroup(pid, 'SIGKILL')
      guard.forget(pid)
      // Its last words may still be on their way; a stray holder of the pipe must not delay us for ever.
      const timer = setTimeout(() => resolve(exit), lastWordsMs)
      child.once('close', () => {
        clearTimeout(timer)
        resolve(exit)
      })
    })
  })
  return {
    pid,
    exited,
    exit: () => ended,
    async stop() {
      if (ended !== undefined) return ended
      child.kill(stopSignal)
      const timer = setTimeout(() => {
        log.append(`still running ${stopTimeoutMs} ms after ${stopSignal}: killed\n`)
        signalGroup(pid, 'SIGKILL')
      }, stopTimeoutMs)
      try {
        return await exited
      } finally {
        clearTimeout(timer)
      }
    },
    kill() {
      if (ended === undefined) signalGroup(pid, 'SIGKILL')
      return exited
    },
  }
}

/**
 * What every child gets from our environment and no more, so that a PORT or a REDIS_URL that happens to be
 * set in the terminal does not reach a service. HEXACHORD_RUN marks the processes of one run of the tests;
 * with NODE_COMPILE_CACHE they start sooner.
 */
export function inheritedEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'HEXACHORD_RUN', 'NODE_COMPILE_CACHE']
  return Object.fromEntries(names.flatMap((name) => pair(name, process.env[name])))
}

function pair(name: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[name, value]]
}

function spawned(child: ChildProcess, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new SpawnError(`${command} could not be started: ${error.message}`)),
    )
    child.once('spawn', () => {
      if (child.pid === undefined) reject(new SpawnError(`${command} has no process id`))
      else resolve(child.pid)
    })
  })
}

/** The one guard of this process: started with the first child, ended with the last. */
const guard = createGuard()

function createGuard() {
  const watched = new Map<number, NodeJS.Signals>()
  let running: ChildProcess | undefined

  function tell(line: string): void {
    running?.stdin?.write(`${line}\n`)
  }

  function begin(): void {
    const program = fileURLToPath(new URL('guard.ts', import.meta.url))
    const child = spawn(process.execPath, [program], {
      cwd: '/',
      env: inheritedEnvironment(),
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    // A write to a guard that has just been killed fails here; its 'exit' below starts another one.
    child.stdin.on('error', () => child.stdin.destroy())
    child.once('error', (error) => {
      throw error
    })
    child.once('exit', () => {
      if (running !== child) return
      running = undefined
      if (watched.size > 0) begin()
    })
    // Our own end is what it waits for, so it must not keep us from ending.
    child.unref()
    running = child
    for (const [pid, signal] of watched) tell(`watch ${pid} ${signal}`)
  }

  return {
    watch(pid: number, signal: NodeJS.Signals): void {
      watched.set(pid, signal)
      if (running === undefined) begin()
      else tell(`watch ${pid} ${signal}`)
    },
    forget(pid: number): void {
      watched.delete(pid)
      tell(`forget ${pid}`)
      if (watched.size > 0) return
      const child = running
      running = undefined
      child?.stdin?.end()
    },
  }
}
