import type { LogFile } from '../local-network/log-file.ts'
import { startOwnedProcess } from '../local-network/owned-process.ts'

export type CommandResult = { code: number; output: string }

/** A command that took longer than it may. */
export class CommandTimeoutError extends Error {
  override name = 'CommandTimeoutError'
}

/** What is kept of the output, for what is read from its end. */
const keptCharacters = 1_000_000

/**
 * Runs a command with its output on ours. Resolves to its exit code and the end of its output; when the time
 * is over or `signal` is aborted it is ended with everything that it started, and an error thrown.
 */
export async function runCommand(options: {
  command: string
  args: string[]
  cwd: string
  environment: Record<string, string>
  timeoutMs: number
  signal: AbortSignal
}): Promise<CommandResult> {
  const { command, args, cwd, environment, timeoutMs, signal } = options
  signal.throwIfAborted()
  const screen = captureOnScreen()
  const child = await startOwnedProcess({ command, args, cwd, env: environment, log: screen.log })
  const stop = () => void child.stop()
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    stop()
  }, timeoutMs)
  signal.addEventListener('abort', stop, { once: true })
  // It may have been aborted while the command was being started.
  if (signal.aborted) stop()
  try {
    const exit = await child.exited
    signal.throwIfAborted()
    if (timedOut)
      throw new CommandTimeoutError(`${command} was ended after ${Math.round(timeoutMs / 1000)} s`)
    return { code: exit.code ?? 1, output: screen.text() }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

/** Enough for an error with where it came from. */
const linesOfAnEnd = 20

/** The last lines of an output. */
export function endOf(output: string, lines = linesOfAnEnd): string {
  return output.trimEnd().split('\n').slice(-lines).join('\n')
}

function captureOnScreen(): { log: LogFile; text(): string } {
  let kept = ''
  const decoder = new TextDecoder()
  return {
    text: () => kept,
    log: {
      path: 'the output',
      append(chunk) {
        process.stdout.write(chunk)
        const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
        kept = (kept + text).slice(-keptCharacters)
      },
      tail: (lines) => endOf(kept, lines),
    },
  }
}
