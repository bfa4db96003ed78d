import { NameError } from '@hexachord/protocol/names'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { ApiError, NoProvider } from '@hexachord/sdk/connect'
import { KeyError } from '@hexachord/sdk/keys'
import { UploadFailed } from '@hexachord/sdk/uploading'
import { ActionRejected } from '@hexachord/sdk/writing'
import { Command, CommanderError } from 'commander'
import { UsageError } from '../settings/index.ts'
import { keyCommand } from './key.ts'
import { playCommand } from './play.ts'
import { searchCommand } from './search.ts'
import { statusCommand } from './status.ts'
import { uploadCommand } from './upload.ts'

/** 0 done, 1 failed, 2 used wrongly, 3 not found, 4 the network is away, 5 the network said no, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 130

export type Context = {
  readonly env: NodeJS.ProcessEnv
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** Runs one command line. Errors go to stderr as one line, or as JSON with `--json`. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> {
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Error('interrupted'))
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  const context: Context = { env, signal: stop.signal }
  const program = new Command('hexachord')
    .description('Publish and play music on a network that nobody owns.')
    .option('--discovery <origins>', 'discovery providers, with commas between')
    .option('--creator <origins>', 'creator nodes, with commas between')
    .option('--json', 'print one line of JSON')
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 used wrongly, 3 not found, 4 network away, 5 rejected.',
    )
  for (const command of [keyCommand, uploadCommand, playCommand, searchCommand, statusCommand]) {
    program.addCommand(command(context).exitOverride())
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (stop.signal.aborted) return 130
    const message = error instanceof Error ? error.message : String(error)
    const code = exitCodeOf(error)
    process.stderr.write(
      args.includes('--json') ? `${JSON.stringify({ error: message, code })}\n` : `hexachord: ${message}\n`,
    )
    return code
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError || error instanceof KeyError || error instanceof RangeError) return 2
  if (error instanceof NameError) return 3
  if (error instanceof NoProvider || error instanceof RetrievalFailed) return 4
  if (error instanceof UploadFailed || error instanceof ActionRejected) return 5
  if (error instanceof ApiError) {
    if (error.status === 404 || error.status === 410) return 3
    return error.status === 0 || error.status >= 500 ? 4 : 5
  }
  return 1
}
