import { addressFor } from '@hexachord/sdk/finding'
import { follow, mute, repost, save } from '@hexachord/sdk/social'
import type { Command } from 'commander'
import { openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn, userIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

const publicity = 'Everybody can see it. Saying it again does no harm.'

/** Commands about users that say something and, with `un` before them, no longer. */
const edges = [
  { name: 'follow', what: 'see in your feed what an artist publishes', edge: follow },
  { name: 'mute', what: 'keep a user from commenting on your tracks', edge: mute },
] as const

/** Commands that keep something and, with `un` before them, no longer. */
const marks = [
  { name: 'save', what: 'keep a track or playlist among your favourites', mark: save },
  { name: 'repost', what: 'show a track or playlist to your followers', mark: repost },
] as const

export function addMarkCommands(program: Command, context: Context): void {
  const { signal } = context

  for (const on of [true, false]) {
    const verb = (name: string) => (on ? name : `un${name}`)
    const says = (text: string) => (on ? text : `no longer ${text}`)

    for (const { name, what, edge } of edges) {
      const telling = program
        .command(verb(name))
        .description(says(what))
        .argument('<user>', 'an address, a handle, or a link to the page')
        .addHelpText('after', `\n${publicity}`)
      addPayingOptions(telling).action(async (text: string, options: PayingOptions, self: Command) => {
        const who = userIn(text)
        const payerOf = payerFrom(options)
        const { connection, account } = await openAccount(self, context)
        const user = await addressFor(connection, who, { signal })
        const { hash } = await edge(connection, account, user, on, { signal, payer: payerOf?.(account) })
        print(self, { user, on, action: hash }, `${verb(name)}: ${user}`)
      })
    }

    for (const { name, what, mark } of marks) {
      const marking = program
        .command(verb(name))
        .description(says(what))
        .argument('<id>', 'such as 0x…-123, or a link that holds it')
        .addHelpText('after', `\n${publicity}`)
      addPayingOptions(marking).action(async (text: string, options: PayingOptions, self: Command) => {
        const target = subjectIn(text)
        const payerOf = payerFrom(options)
        const { connection, account } = await openAccount(self, context)
        const { hash } = await mark(connection, account, target, on, { signal, payer: payerOf?.(account) })
        print(self, { target, on, action: hash }, `${verb(name)}: ${target}`)
      })
    }
  }
}
