import { Command, CommanderError } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { addAppCommand } from './app.ts'
import { addAppPasswordCommand } from './app-password.ts'
import { addBridgeCommand } from './bridge.ts'
import { addCommentCommands } from './comment.ts'
import type { Context } from './context.ts'
import { addDelegateCommand } from './delegate.ts'
import { addEditCommand } from './edit.ts'
import { type ExitCode, exitCodeOf, Interrupted, messageOf } from './errors.ts'
import { addExportCommand } from './export.ts'
import { addGateCommand } from './gate.ts'
import { addHistoryCommand } from './history.ts'
import { addImportCommand } from './import.ts'
import { addIncomeCommand } from './income.ts'
import { addKeyCommand } from './key.ts'
import { addMarkCommands } from './marks.ts'
import { addNoticeCommand } from './notice.ts'
import { addPlayCommand } from './play.ts'
import { addPlaylistCommand } from './playlist.ts'
import { addPriceCommand } from './price.ts'
import { addProfileCommand } from './profile.ts'
import { addReleasesCommand } from './releases.ts'
import { addSearchCommand } from './search.ts'
import { addStatusCommand } from './status.ts'
import { addUnpublishCommand } from './unpublish.ts'
import { addUploadCommand } from './upload.ts'
import { addCancelCommand, addUploadsCommand } from './uploads.ts'
import { addWalletCommand } from './wallet.ts'

/** In `performance.now()`: what Node takes to load us is time that the user waits. */
const processStart = 0

/** Runs one command line. The result goes to stdout; progress, warnings and one line for an error to stderr. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> {
  const stop = new AbortController()
  const interrupt = () => {
    // Whoever asks twice does not want to wait for what the first one has begun.
    if (stop.signal.aborted) process.exit(130)
    stop.abort(new Error('interrupted'))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    await programOf({ env, signal: stop.signal, startedAt: processStart }).parseAsync([...args], {
      from: 'user',
    })
    return 0
  } catch (error) {
    // Help and version were asked for, and are printed.
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const code = stop.signal.aborted ? 130 : exitCodeOf(error)
    const message = stop.signal.aborted && !(error instanceof Interrupted) ? 'interrupted' : messageOf(error)
    const isJson = args.includes('--json')
    process.stderr.write(isJson ? `${JSON.stringify({ error: message, code })}\n` : `hexachord: ${message}\n`)
    return code
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

function programOf(context: Context): Command {
  const program = new Command('hexachord')
    .description('Publish and play music on a network that nobody owns.')
    .version(manifest.version)
    .option('--discovery <origins>', 'discovery providers, with commas between')
    .option(
      '--node, --creator <origins>',
      'only these creator nodes, with commas between; default: those on the chain',
    )
    .option('--json', 'print one line of JSON')
    // Commands inherit these two: errors are thrown, and printed by us.
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 used wrongly, 3 not found, 4 network away, 5 rejected, 130 interrupted.',
    )
  addKeyCommand(program, context)
  addProfileCommand(program, context)
  addUploadCommand(program, context)
  addEditCommand(program, context)
  addUploadsCommand(program, context)
  addCancelCommand(program, context)
  addReleasesCommand(program, context)
  addUnpublishCommand(program, context)
  addNoticeCommand(program, context)
  addPlayCommand(program, context)
  addBridgeCommand(program, context)
  addWalletCommand(program, context)
  addPriceCommand(program, context)
  addGateCommand(program, context)
  addHistoryCommand(program, context)
  addExportCommand(program, context)
  addImportCommand(program, context)
  addSearchCommand(program, context)
  addMarkCommands(program, context)
  addCommentCommands(program, context)
  addPlaylistCommand(program, context)
  addAppPasswordCommand(program, context)
  addAppCommand(program, context)
  addDelegateCommand(program, context)
  addIncomeCommand(program, context)
  addStatusCommand(program, context)
  return program
}
