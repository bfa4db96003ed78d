import { appsOf, changeApp, deleteApp, publishApp } from '@hexachord/sdk/social'
import type { Command } from 'commander'
import { UsageError } from '../settings/index.ts'
import { openAboutUser, openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'
import { pictureIn } from './picture.ts'

type Said = PayingOptions & { name?: string; description?: string; url?: string; picture?: string }

const shownAtMost = 100

export function addAppCommand(program: Command, context: Context): void {
  const { signal } = context
  const command = program
    .command('app')
    .description(
      'programs of yours that ask users for a key of their own: so that users see whom they let in',
    )
    .addHelpText('after', "\n'hexachord delegate' lets a program's key sign for you.")
  const addSaidOptions = (telling: Command) =>
    addPayingOptions(
      telling
        .option('--description <text>')
        .option('--url <url>', 'an https address')
        .option(
          '--picture <picture>',
          'the name (CID) of a picture that somebody holds, or a track whose cover it is',
        ),
    )
  const picked = ({ name, description, url, picture }: Said) => {
    const pictureOf = picture === undefined ? undefined : pictureIn(picture)
    const given = Object.entries({ name, description, url }).filter(([, value]) => value !== undefined)
    return { given: Object.fromEntries(given), pictureOf }
  }

  addSaidOptions(command.command('add').description('make one known').argument('<name>')).action(
    async (name: string, options: Said, self: Command) => {
      const { given, pictureOf } = picked(options)
      const payerOf = payerFrom(options)
      const { connection, account } = await openAccount(self, context)
      const picture = pictureOf && { picture: await pictureOf(connection, { signal }) }
      const said = { ...given, ...picture, name }
      const app = await publishApp(connection, account, said, { signal, payer: payerOf?.(account) })
      print(self, { app, ...said }, app)
    },
  )
  addSaidOptions(
    command
      .command('edit')
      .description('say something else of it')
      .argument('<app>', 'its id')
      .option('--name <text>'),
  ).action(async (text: string, options: Said, self: Command) => {
    const app = subjectIn(text, 'app')
    const { given, pictureOf } = picked(options)
    if (Object.keys(given).length === 0 && !pictureOf) {
      throw new UsageError('give --name, --description, --url or --picture')
    }
    const payerOf = payerFrom(options)
    const { connection, account } = await openAccount(self, context)
    const picture = pictureOf && { picture: await pictureOf(connection, { signal }) }
    const changes = { ...given, ...picture }
    const { hash } = await changeApp(connection, account, app, changes, { signal, payer: payerOf?.(account) })
    print(self, { app, ...changes, action: hash }, `${app} is changed`)
  })
  command
    .command('list')
    .description('apps that a user has made known, newest first')
    .argument('[user]', 'an address, a handle, or a link to the page; without it you')
    .option('--after <page>', 'go on after a page that ended with this word')
    .action(async (user: string | undefined, { after }: { after?: string }, self: Command) => {
      const { connection, who } = await openAboutUser(self, context, user)
      const list = await appsOf(connection, who, { cursor: after, limit: shownAtMost, signal })
      const lines = list.items.map(({ id, name, url }) => `${id}  ${name}${url === null ? '' : `  ${url}`}`)
      const more = list.next === null ? [] : [`more: --after ${list.next}`]
      print(self, list, [...lines, ...more].join('\n') || 'there are none')
    })
  addPayingOptions(
    command
      .command('remove')
      .description(
        'take it back: nobody lets in a key under its name any more; keys that are in stay until revoked',
      )
      .argument('<app>', 'its id'),
  ).action(async (text: string, options: PayingOptions, self: Command) => {
    const app = subjectIn(text, 'app')
    const payerOf = payerFrom(options)
    const { connection, account } = await openAccount(self, context)
    const { hash } = await deleteApp(connection, account, app, { signal, payer: payerOf?.(account) })
    print(self, { removed: app, action: hash }, `${app} is removed`)
  })
}
