import { unpublish, unpublishingNotice } from '@hexachord/sdk/publishing'
import type { Command } from 'commander'
import { keyStore, UsageError } from '../settings/index.ts'
import { askPassword, confirmed } from '../terminal/index.ts'
import { globalOptions, openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

type Options = PayingOptions & { yes?: true }

export function addUnpublishCommand(program: Command, context: Context): void {
  const command = program
    .command('unpublish')
    .description('take back a track, an album, a playlist or a comment of yours, as far as that can be')
    .argument('<id>', 'such as 0x…-123, or a link that holds it')
    .option('--yes', 'do not ask')
    .addHelpText('after', `\n${unpublishingNotice}`)
  addPayingOptions(command).action(async (text: string, options: Options, self: Command) => {
    const { signal } = context
    const subject = subjectIn(text)
    const payerOf = payerFrom(options)
    const { connection, settings } = await openConnection(self, context)
    const { json } = globalOptions(self)
    process.stderr.write(
      json ? `${JSON.stringify({ notice: unpublishingNotice })}\n` : `${unpublishingNotice}\n`,
    )
    if (!options.yes && !(await confirmed(context, `Unpublish ${subject}?`, { instead: 'give --yes' }))) {
      throw new UsageError('nothing was unpublished')
    }
    const key = await keyStore(settings.directory).openAuthor(() => askPassword(context, 'Password: '))
    const action = await unpublish(connection, key, subject, { signal, payer: payerOf?.(key) })
    print(
      self,
      { unpublished: subject, action: action ?? null },
      action ? `${subject} is unpublished` : `${subject} was unpublished before`,
    )
  })
}
