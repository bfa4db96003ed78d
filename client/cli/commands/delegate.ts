import { delegableKinds, type Scope } from '@hexachord/protocol/actions'
import { delegate, delegationNotice, delegationsOf, revoke } from '@hexachord/sdk/social'
import { type Command, Option } from 'commander'
import { UsageError } from '../settings/index.ts'
import { confirmed } from '../terminal/index.ts'
import { globalOptions, openAboutUser, openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { addressIn, subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

type Adding = PayingOptions & { may: Scope[]; days: string; app?: string; yes?: true }

const dayMs = 86_400_000
const shownAtMost = 100

export function addDelegateCommand(program: Command, context: Context): void {
  const { signal } = context
  const command = program
    .command('delegate')
    .description('keys of programs that may sign some kinds of actions in your name')

  const adding = command
    .command('add')
    .description('let a key sign for you, or something else than before')
    .argument('<key>', 'its address')
    .addOption(
      new Option('--may <kinds...>', 'what it may sign').choices(delegableKinds).makeOptionMandatory(),
    )
    .option('--days <count>', 'how long, 1 to 365', '365')
    .option('--app <id>', 'the app that holds the key')
    .option('--yes', 'do not ask')
    .addHelpText('after', `\n${delegationNotice}`)
  addPayingOptions(adding).action(async (text: string, options: Adding, self: Command) => {
    const key = addressIn(text)
    const scopes = [...new Set(options.may)]
    const app = options.app === undefined ? undefined : subjectIn(options.app, 'app')
    const { days, yes } = options
    if (!/^\d{1,3}$/.test(days) || Number(days) < 1 || Number(days) > 365) {
      throw new UsageError(`--days: '${days}' is no number from 1 to 365`)
    }
    const payerOf = payerFrom(options)
    const { json } = globalOptions(self)
    process.stderr.write(json ? `${JSON.stringify({ notice: delegationNotice })}\n` : `${delegationNotice}\n`)
    if (!yes && !(await confirmed(context, `Let ${key} sign for you?`, { instead: 'give --yes' }))) {
      throw new UsageError('nothing was delegated')
    }
    const { connection, account } = await openAccount(self, context)
    const expiresAtMs = connection.now() + Number(days) * dayMs
    const made = { key, scopes, expiresAtMs, app }
    const { hash } = await delegate(connection, account, made, { signal, payer: payerOf?.(account) })
    const until = new Date(expiresAtMs).toISOString().slice(0, 10)
    print(
      self,
      { ...made, action: hash },
      `until ${until} ${key} may sign: ${scopes.join(', ')}; to end it: hexachord delegate remove ${key}`,
    )
  })
  command
    .command('list')
    .description('keys that may sign for a user, or could once')
    .argument('[user]', 'an address, a handle, or a link to the page; without it you')
    .option('--after <page>', 'go on after a page that ended with this word')
    .action(async (user: string | undefined, { after }: { after?: string }, self: Command) => {
      const { connection, who } = await openAboutUser(self, context, user)
      const list = await delegationsOf(connection, who, { cursor: after, limit: shownAtMost, signal })
      const lines = list.items.map(({ key, scopes, expiresAtMs, app, appName, inForce }) => {
        const until = new Date(expiresAtMs).toISOString().slice(0, 10)
        const holder = app === null ? '' : `, held by ${appName ?? app}`
        return `${key}  ${inForce ? `until ${until}` : 'ended'}: ${scopes.join(', ')}${holder}`
      })
      const more = list.next === null ? [] : [`more: --after ${list.next}`]
      print(self, list, [...lines, ...more].join('\n') || 'there are none')
    })
  addPayingOptions(
    command.command('remove').description('let a key sign nothing any more').argument('<key>', 'its address'),
  ).action(async (text: string, options: PayingOptions, self: Command) => {
    const key = addressIn(text)
    const payerOf = payerFrom(options)
    const { connection, account } = await openAccount(self, context)
    const { hash } = await revoke(connection, account, key, { signal, payer: payerOf?.(account) })
    print(self, { removed: key, action: hash }, `${key} signs nothing for you any more`)
  })
}
