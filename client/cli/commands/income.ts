import { amountText, incomeOf, operatorIncomeOf } from '@hexachord/sdk/income'
import type { Command } from 'commander'
import { openAboutUser, print } from './connection.ts'
import type { Context } from './context.ts'

type Options = { operator?: true; tracks?: true; after?: string }

const shownAtMost = 100

export function addIncomeCommand(program: Command, context: Context): void {
  const { signal } = context
  program
    .command('income')
    .description('what was earned, by day and track, newest first')
    .argument('[user]', 'an address, a handle, or a link to the page; without it you')
    .option('--tracks', 'what everybody earned by the tracks of that user')
    .option('--operator', 'what the user earned by running a node')
    .option('--after <page>', 'go on after a page that ended with this word')
    .action(async (user: string | undefined, { operator, tracks, after }: Options, self: Command) => {
      const { connection, who: account } = await openAboutUser(self, context, user)
      const page = { cursor: after, limit: shownAtMost, signal }
      const more = (next: string | null) => (next === null ? [] : [`more: --after ${next}`])
      if (operator) {
        const income = await operatorIncomeOf(connection, account, page)
        const lines = income.items.map(
          ({ day, earned, listenerHours }) =>
            `${day}  ${amountText(earned, income.currency)}  ${listenerHours.toFixed(2)} hours of listening`,
        )
        print(self, income, [...lines, ...more(income.next)].join('\n') || 'nothing was earned')
        return
      }
      const income = await incomeOf(connection, account, { ...page, as: tracks ? 'owner' : 'account' })
      const lines = income.items.map(
        ({ day, track, account, share, units, earned, distributed }) =>
          `${day}  ${amountText(earned, income.currency)}  ${track}  ${units} units  ${share} ${account}  distributed ${amountText(distributed, income.currency)}`,
      )
      const nothing = `nothing was earned by ${account}: income is of the accounts that a track's terms name, and tracks of who owns them (hexachord price <track>); another key, also one that was yours before, is asked for by its address`
      print(self, income, [...lines, ...more(income.next)].join('\n') || nothing)
    })
}
