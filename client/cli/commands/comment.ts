import { trackFor } from '@hexachord/sdk/finding'
import { comment } from '@hexachord/sdk/social'
import type { Command } from 'commander'
import { UsageError } from '../settings/index.ts'
import { openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

type Options = PayingOptions & { replyTo?: string; at?: string }

export function addCommentCommand(program: Command, context: Context): void {
  const { signal } = context
  const command = program
    .command('comment')
    .description('comment on a track; everybody can read it, and it stays on the chain')
    .argument('<track>', 'its id, a link to it, or words to search for')
    .argument('<text>', 'what you say')
    .option('--reply-to <comment>', 'the comment that you answer')
    .option('--at <time>', 'the moment of the track that you speak of, such as 1:23')
  addPayingOptions(command).action(
    async (track: string, text: string, { replyTo, at, ...paying }: Options, self: Command) => {
      const said = {
        text,
        replyTo: replyTo === undefined ? undefined : subjectIn(replyTo, 'comment'),
        positionMs: at === undefined ? undefined : momentOf(at),
      }
      const payerOf = payerFrom(paying)
      const { connection, account } = await openAccount(self, context)
      const { id } = await trackFor(connection, track, { signal })
      const made = await comment(
        connection,
        account,
        { track: id, ...said },
        { signal, payer: payerOf?.(account) },
      )
      print(self, { comment: made, track: id }, made)
    },
  )
}

/** @returns ms @throws UsageError */
function momentOf(text: string): number {
  const [, minutes = '0', seconds] = /^(?:(\d{1,4}):)?(\d{1,5}(?:\.\d{1,3})?)$/.exec(text) ?? []
  if (seconds === undefined) throw new UsageError(`--at: '${text}' is no moment such as 1:23`)
  return Math.round((Number(minutes) * 60 + Number(seconds)) * 1000)
}
