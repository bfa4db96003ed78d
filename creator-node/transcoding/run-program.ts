import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { ProgramFailed, ProgramLimit, ProgramMissing } from './process-errors.ts'

/** What a short program said. */
export type ProgramOutput = { readonly stdout: string; readonly stderr: string }

const keptStderrBytes = 16 * 1024

/** Below this process, which stores what is made, and below an ffmpeg that somebody waits for. */
const niceness = 10

/**
 * Runs a program to its end and gives back its output, within bounds of time and size.
 * @throws ProgramMissing, ProgramFailed (exit code other than 0), ProgramLimit, or the signal's reason
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { timeoutMs: number; maxBytes: number; signal: AbortSignal },
): Promise<ProgramOutput> {
  options.signal.throwIfAborted()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  // It is there until its end is seen here.
  if (child.pid !== undefined) setPriority(child.pid, niceness)
  const { promise, resolve, reject } = Promise.withResolvers<ProgramOutput>()
  const stdout: Buffer[] = []
  let size = 0
  let stderr = ''
  let stopped: Error | null = null
  const stop = (reason: Error) => {
    stopped ??= reason
    child.kill('SIGKILL')
  }
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > options.maxBytes) stop(new ProgramLimit(`${program} said too much`))
    else stdout.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-keptStderrBytes)
  })
  child.once('error', (cause) =>
    reject(new ProgramMissing(`${program} cannot be started: ${cause.message}`, { cause })),
  )
  child.once('close', (code, signal) => {
    if (stopped !== null) reject(stopped)
    else if (code === 0) resolve({ stdout: Buffer.concat(stdout).toString('utf8'), stderr })
    else reject(new ProgramFailed(`it ended with ${signal ?? code}`, { stderr, killed: signal !== null }))
  })
  const onAbort = () => stop(options.signal.reason)
  options.signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(
    () => stop(new ProgramLimit(`${program} took longer than ${options.timeoutMs} ms`)),
    options.timeoutMs,
  )
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    options.signal.removeEventListener('abort', onAbort)
  }
}
