import { type NoticeContent, noticeGrounds } from '@hexachord/protocol/actions'
import { checked } from '@hexachord/protocol/checked'
import { hashSchema } from '@hexachord/protocol/names'
import { noticePublicity, publishNotice, withdrawNotice } from '@hexachord/sdk/publishing'
import { type Command, Option } from 'commander'
import { keyStore, UsageError } from '../settings/index.ts'
import { askPassword, confirmed } from '../terminal/index.ts'
import { globalOptions, openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

type Options = PayingOptions & {
  ground?: NoticeContent['ground']
  statement?: string
  contact?: string
  withdraw?: string
  yes?: true
}

export function addNoticeCommand(program: Command, context: Context): void {
  const command = program
    .command('notice')
    .description('claim that a track should not be held or served, or withdraw such a claim')
    .argument('[track-id]', 'such as 0x…-123, or a link that holds it')
    .addOption(new Option('--ground <ground>', 'why').choices(noticeGrounds))
    .option('--statement <text>', 'what is claimed, for those who decide whether to honour it')
    .option('--contact <text>', 'where you can be reached')
    .option('--withdraw <action>', 'the action that a notice was published by, instead of a track')
    .option('--yes', 'do not ask')
    .addHelpText('after', `\n${noticePublicity}`)
  addPayingOptions(command).action(async (text: string | undefined, options: Options, self: Command) => {
    const { signal } = context
    const wanted = options.withdraw === undefined ? noticeFrom(text, options) : undefined
    const withdrawn = checked(hashSchema, options.withdraw)
    if (wanted === undefined && !withdrawn.success)
      throw new UsageError('--withdraw needs a hash such as 0x12…')
    const payerOf = payerFrom(options)
    const { connection, settings } = await openConnection(self, context)
    const openKey = () => keyStore(settings.directory).openAuthor(() => askPassword(context, 'Password: '))
    if (wanted === undefined) {
      const key = await openKey()
      const notice = await withdrawNotice(connection, key, withdrawn.data ?? '0x', {
        signal,
        payer: payerOf?.(key),
      })
      print(self, { withdrawn: notice }, `${notice} is withdrawn`)
      return
    }
    const { json } = globalOptions(self)
    process.stderr.write(json ? `${JSON.stringify({ notice: noticePublicity })}\n` : `${noticePublicity}\n`)
    const question = `Publish a notice about ${wanted.track}?`
    if (!options.yes && !(await confirmed(context, question, { instead: 'give --yes' }))) {
      throw new UsageError('nothing was published')
    }
    const key = await openKey()
    const made = await publishNotice(connection, key, wanted, { signal, payer: payerOf?.(key) })
    print(
      self,
      { ...made, track: wanted.track },
      `${made.notice} is published; to withdraw it: hexachord notice --withdraw ${made.action}`,
    )
  })
}

/** @throws UsageError */
function noticeFrom(text: string | undefined, { ground, statement, contact }: Options) {
  const track = subjectIn(text ?? '', 'track id')
  if (ground === undefined || statement === undefined) {
    throw new UsageError('a notice needs --ground and --statement')
  }
  return { track, ground, statement, ...(contact === undefined ? {} : { contact }) }
}
