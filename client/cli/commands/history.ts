import type { Command } from 'commander'
import { fileListeningHistory, readSettings, UsageError } from '../settings/index.ts'
import { globalOptions, print } from './connection.ts'
import type { Context } from './context.ts'

const shownAtMost = 100

export function addHistoryCommand(program: Command, context: Context): void {
  program
    .command('history')
    .description('what you have played, if you keep it; it never leaves this machine')
    .option('--keep', 'begin to keep what you play')
    .option('--forget', 'forget all of it, and keep it no more')
    .action(async ({ keep, forget }: { keep?: true; forget?: true }, self: Command) => {
      const { directory } = await readSettings(context.env, globalOptions(self))
      const history = fileListeningHistory(directory)
      if (keep && forget) throw new UsageError('keep it, or forget it: not both')
      if (forget) await history.end()
      else if (keep) await history.begin()
      const items = await history.list(shownAtMost)
      const lines = (items ?? []).map(
        ({ playedAtMs, title, artist, track }) =>
          `${new Date(playedAtMs).toISOString().slice(0, 16).replace('T', ' ')}  ${title} by ${artist}  ${track}`,
      )
      const state =
        items === undefined
          ? 'no history is kept: begin with hexachord history --keep'
          : 'nothing was played since it is kept'
      print(self, { kept: items !== undefined, items: items ?? [] }, lines.join('\n') || state)
    })
}
