import type { User } from '@hexachord/protocol/rest'
import { findUser } from '@hexachord/sdk/finding'
import { changeProfile, type ProfileChanges } from '@hexachord/sdk/social'
import { type Command, Option } from 'commander'
import { UsageError } from '../settings/index.ts'
import { openAboutUser, openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { several } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'
import { pictureIn } from './picture.ts'

const clearable = ['handle', 'name', 'bio', 'links', 'picture'] as const

type Options = PayingOptions & {
  handle?: string
  name?: string
  bio?: string
  link?: string[]
  picture?: string
  clear?: (typeof clearable)[number][]
}

export function addProfileCommand(program: Command, context: Context): void {
  const { signal } = context
  const command = program
    .command('profile')
    .description('what everybody sees of you; without an option: what it says')
    .argument('[user]', 'whose it is shown: an address, a handle, or a link to the page; without it yours')
    .option('--handle <handle>', '1 to 30 of a-z, 0-9 and _; whoever comes first has it')
    .option('--name <text>')
    .option('--bio <text>')
    .option(
      '--link <url>',
      'an https address; given several times, all of them, in place of those that are there',
      several,
    )
    .option(
      '--picture <picture>',
      'the name (CID) of a picture that somebody holds, or a track whose cover it is',
    )
    .addOption(new Option('--clear <fields...>', 'take these away').choices(clearable))
  addPayingOptions(command).action(async (user: string | undefined, options: Options, self: Command) => {
    const { pay, rpc, picture, clear = [], link, ...said } = options
    const texts = { handle: said.handle?.replace(/^@/, ''), name: said.name, bio: said.bio }
    const given = Object.entries({ ...texts, links: link, picture }).filter(
      ([, value]) => value !== undefined,
    )
    const both = given.find(([name]) => clear.some((field) => field === name))
    if (both) throw new UsageError(`${both[0]} cannot be said and cleared`)
    if (given.length + clear.length === 0) {
      const { connection, who } = await openAboutUser(self, context, user)
      const found = await findUser(connection, who, { signal })
      return print(self, found, describeUser(found))
    }
    if (user !== undefined) throw new UsageError('you change your own profile only: leave the user out')
    const pictureOf = picture === undefined ? undefined : pictureIn(picture)
    const payerOf = payerFrom({ pay, rpc })
    const { connection, account } = await openAccount(self, context)
    const changes = Object.fromEntries([
      ...given,
      ...clear.map((field) => [field, null]),
      ...(pictureOf ? [['picture', await pictureOf(connection, { signal })]] : []),
    ]) as ProfileChanges
    const { hash } = await changeProfile(connection, account, changes, { signal, payer: payerOf?.(account) })
    print(self, { user: account.address, ...changes, action: hash }, `${account.address} is changed`)
  })
}

function describeUser(user: User): string {
  const { id, handle, name, bio, links, picture, controller } = user
  const lines: [label: string, value: string | null][] = [
    ['address', id],
    ['handle', handle === null ? null : `@${handle}`],
    ['name', name],
    ['bio', bio === null ? null : bio.replace(/\n/g, `\n${' '.repeat(12)}`)],
    ...links.map((link): [string, string] => ['link', link]),
    ['picture', picture],
    ['key', controller === id ? null : controller],
    ['tracks', String(user.trackCount)],
    ['followers', String(user.followerCount)],
    ['following', String(user.followingCount)],
  ]
  return lines
    .filter(([, value]) => value !== null)
    .map(([label, value]) => `${label.padEnd(10)}  ${value}`)
    .join('\n')
}
