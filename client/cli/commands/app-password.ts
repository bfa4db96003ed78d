import type { Address } from '@hexachord/protocol/names'
import {
  allowPlayerWrites,
  createAppPassword,
  forbidPlayerWrites,
  listAppPasswords,
  revokeAppPassword,
} from '@hexachord/sdk/listening'
import { delegationNotice } from '@hexachord/sdk/social'
import type { Command } from 'commander'
import { UsageError } from '../settings/index.ts'
import { confirmed } from '../terminal/index.ts'
import { globalOptions, openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { addressIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

type Whose = { author?: Address }
type Allowing = PayingOptions & Whose & { days: string; yes?: true }

/** Who has an author's keys cannot be told from the key, only from the author. */
function addAuthorOption(command: Command): Command {
  return command.option(
    '--author <address>',
    'whose they are: somebody whose keys were rotated to yours; without it, your own',
    addressIn,
  )
}

export function addAppPasswordCommand(program: Command, context: Context): void {
  const { signal } = context
  const command = program
    .command('app-password')
    .description(
      'Passwords with which players that speak OpenSubsonic listen in your name, and write if you let them.',
    )

  const open = (self: Command) => openAccount(self, context, { onlyReads: true })

  addAuthorOption(command.command('create'))
    .argument('<device>', 'what you call it, such as "kitchen radio"')
    .description('make one for one device')
    .action(async (device: string, { author }: Whose, self: Command) => {
      if (!/^[^\p{C}]{1,60}$/u.test(device)) throw new UsageError('a device has a name of 1 to 60 characters')
      const { connection, account } = await open(self)
      const made = await createAppPassword(connection, account, device, {
        author: author ?? account.address,
        signal,
      })
      const { server, username, password, id } = made
      print(
        self,
        made,
        [
          `server    ${server}`,
          `user      ${username}`,
          `password  ${password}`,
          `It is shown this once, and serves as API key, too. To revoke it: hexachord app-password revoke ${id}`,
        ].join('\n'),
      )
    })
  addAuthorOption(command.command('list'))
    .description('those that open something')
    .action(async ({ author }: Whose, self: Command) => {
      const { connection, account } = await open(self)
      const items = await listAppPasswords(connection, account, { author: author ?? account.address, signal })
      const lines = items.map(({ id, device, server, createdAtMs, lastUsedDay }) => {
        const made = new Date(createdAtMs).toISOString().slice(0, 10)
        return `${id}  ${device}  at ${server}, made ${made}, ${lastUsedDay ? `used ${lastUsedDay}` : 'never used'}`
      })
      print(self, { items }, lines.join('\n') || 'there are none')
    })
  addAuthorOption(command.command('revoke'))
    .argument('<id>', "as 'hexachord app-password list' shows it")
    .description('make one open nothing any more')
    .action(async (id: string, { author }: Whose, self: Command) => {
      const { connection, account } = await open(self)
      const { server } = await revokeAppPassword(connection, account, id, {
        author: author ?? account.address,
        signal,
      })
      print(self, { revoked: id, server }, `${id} opens nothing any more at ${server}`)
    })

  const allowing = addAuthorOption(command.command('allow-writes'))
    .description(
      'let the server sign for you what your players change: favourites, whom you follow, and playlists',
    )
    .option('--days <count>', 'how long, 1 to 365', '365')
    .option('--yes', 'do not ask')
    .addHelpText('after', `\n${delegationNotice}`)
  addPayingOptions(allowing).action(async ({ author, days, yes, ...paying }: Allowing, self: Command) => {
    if (!/^\d{1,3}$/.test(days) || Number(days) < 1 || Number(days) > 365) {
      throw new UsageError(`--days: '${days}' is no number from 1 to 365`)
    }
    const payerOf = payerFrom(paying)
    const { json } = globalOptions(self)
    process.stderr.write(json ? `${JSON.stringify({ notice: delegationNotice })}\n` : `${delegationNotice}\n`)
    if (!yes && !(await confirmed(context, 'Let your players write?', { instead: 'give --yes' }))) {
      throw new UsageError('nothing was allowed')
    }
    const { connection, account } = await openAccount(self, context)
    const options = {
      author: author ?? account.address,
      days: Number(days),
      signal,
      payer: payerOf?.(account),
    }
    const made = await allowPlayerWrites(connection, account, options)
    const until = new Date(made.expiresAtMs).toISOString().slice(0, 10)
    print(
      self,
      made,
      `until ${until} ${made.server} signs what your players change; to end it: hexachord app-password forbid-writes`,
    )
  })
  addPayingOptions(
    addAuthorOption(command.command('forbid-writes')).description(
      'let the server sign nothing for you any more',
    ),
  ).action(async ({ author, ...paying }: PayingOptions & Whose, self: Command) => {
    const payerOf = payerFrom(paying)
    const { connection, account } = await openAccount(self, context)
    const servers = await forbidPlayerWrites(connection, account, {
      author: author ?? account.address,
      signal,
      payer: payerOf?.(account),
    })
    const text = servers.map((server) => `${server} signs nothing for you any more`)
    print(self, { forbidden: servers }, text.join('\n') || 'no server could sign for you')
  })
}
