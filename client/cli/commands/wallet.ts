import type { Address } from '@hexachord/protocol/names'
import type { Connection } from '@hexachord/sdk/connect'
import type { HeldKey } from '@hexachord/sdk/keys'
import {
  type Budget,
  budgetLeft,
  deposit,
  type EscrowReader,
  formatAmount,
  memoryIn,
  type PurseMemory,
  type PurseState,
  receiptsCsv,
  revokeSession,
  spendingKey,
  type Token,
  type Writing,
  withBudget,
  withdraw,
} from '@hexachord/sdk/paying'
import type { Command } from 'commander'
import { filePurseMemory, keyStore, type Settings, UsageError } from '../settings/index.ts'
import { askPassword, confirmed } from '../terminal/index.ts'
import { addRpcOption, amountOf, chainReader, paidToken, readerOf, writingBy } from './chain.ts'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { addressIn } from './named.ts'
import { describeReserve, releaseOne, reservesOf } from './reserves.ts'

export function addWalletCommand(program: Command, context: Context): void {
  const wallet = program
    .command('wallet')
    .description(
      'What you pay for music with: a key of its own, so that what you hear is not said in your name',
    )
  const add = (name: string, description: string) =>
    addRpcOption(wallet.command(name).description(description))

  add('show', 'address, deposit, reserves and budget').action((_options, self: Command) =>
    withPurse(self, context, async ({ connection, address, reader, memory, token, now }) => {
      const state = await memory.load()
      if (reader === undefined) {
        const lines = [
          `address    ${address}`,
          'deposited  the chain knows, and so what is reserved: give --rpc with the URL of a node of it',
          `budget     ${describeBudget(state, token, now)}`,
        ]
        return print(self, { address, token, ...inText({ budget: state.budget }) }, lines.join('\n'))
      }
      const [free, held, reserves] = await Promise.all([
        reader.balanceOf(address),
        reader.tokenBalanceOf(address),
        reservesOf({ connection, reader, address }, state, { signal: context.signal }),
      ])
      const amount = (units: bigint) => formatAmount(units, token)
      const lines = [
        `address    ${address}`,
        `deposited  ${amount(free)} free, ${amount(held)} not deposited`,
        ...reserves.map((reserve) => `reserved   ${describeReserve(reserve, token)}`),
        `budget     ${describeBudget(state, token, now)}`,
      ]
      print(
        self,
        { address, token, ...inText({ free, held, reserves, budget: state.budget }) },
        lines.join('\n'),
      )
    }),
  )
  add('address', 'where to send the tokens to, and the currency that transactions cost').action(
    async (_options, self: Command) => {
      const { settings } = await openConnection(self, context, { onlyReads: true })
      const { address } = spendingKey(await keyOf(settings.directory, context))
      print(self, { address }, address)
    },
  )
  add('deposit', 'bring tokens of the wallet into the escrow, from which reserves are taken')
    .argument('<amount>', 'in whole tokens, such as 5.50')
    .action((text: string, _options, self: Command) =>
      withWallet(self, context, async ({ key, reader, writing, token, now }) => {
        const amount = amountOf(text, token)
        const held = await reader.tokenBalanceOf(key.address)
        if (amount > held)
          throw new UsageError(
            `the wallet holds ${formatAmount(held, token)}: send some to ${key.address}, or deposit less`,
          )
        await deposit(writing, key, amount, now)
        const free = await reader.balanceOf(key.address)
        print(
          self,
          inText({ deposited: amount, free }),
          `deposited; ${formatAmount(free, token)} are free now`,
        )
      }),
    )
  add('release', 'take back what nodes have reserved: announces it, and when its time has come takes it')
    .argument('[nodes...]', 'addresses of operators; default: all that are registered or were paid from here')
    .option('--all', 'also what is owed for what you heard, such as to a node that is gone')
    .option('--yes', 'do not ask')
    .action((nodes: string[], { all, yes }: { all?: true; yes?: true }, self: Command) => {
      const named = nodes.map(addressIn)
      return withWallet(self, context, async (opened) => {
        const { signal } = context
        const reserves = await reservesOf(opened, await opened.memory.load(), { named, signal })
        const owed = reserves.reduce((sum, reserve) => sum + reserve.owed, 0n)
        if (all && owed > 0n && !yes && !(await confirmed(context, askAll(owed, opened), insteadOfAsking))) {
          throw new UsageError('nothing was released')
        }
        const lines: string[] = []
        for (const reserve of reserves) lines.push(await releaseOne(opened, reserve, { all }))
        print(self, { released: lines }, lines.join('\n') || 'no node has reserved anything')
      })
    })
  add(
    'revoke-session',
    'take a session key of this wallet back, at once and for ever: it reserves nothing more',
  )
    .argument('<key>', 'its address')
    .action((text: string, _options, self: Command) => {
      const session = addressIn(text)
      return withWallet(self, context, async ({ address, reader, writing }) => {
        const { expiry, revoked } = await reader.session(address, session)
        if (expiry === 0) throw new UsageError(`${session} is no session key of ${address}`)
        if (!revoked) await revokeSession(writing, session)
        print(
          self,
          { revoked: session, before: revoked },
          revoked ? `${session} was revoked before` : `${session} reserves nothing more`,
        )
      })
    })
  add('withdraw', 'send what is deposited and not reserved to an address')
    .argument('<to>')
    .argument('[amount]', 'in whole tokens; default: all')
    .action((to: string, text: string | undefined, _options, self: Command) => {
      const whom = addressIn(to)
      return withWallet(self, context, async ({ address, reader, writing, token }) => {
        const free = await reader.balanceOf(address)
        const amount = text === undefined ? free : amountOf(text, token)
        if (amount === 0n || amount > free)
          throw new UsageError(
            `${formatAmount(free, token)} can be withdrawn: release what nodes have reserved first`,
          )
        await withdraw(writing, whom, amount)
        print(self, inText({ withdrawn: amount, to }), `sent ${formatAmount(amount, token)} to ${to}`)
      })
    })
  add('budget', 'what may be spent in an hour and in a month (UTC), which nothing can pass')
    .option('--hour <amount>', "in whole tokens, or 'none'")
    .option('--month <amount>', "in whole tokens, or 'none'")
    .action(({ hour, month }: { hour?: string; month?: string }, self: Command) =>
      withPurse(self, context, async ({ memory, token, now }) => {
        const state = await memory.update((before) => {
          const { perHour, perMonth } = before.budget
          const limits: Budget = {
            perHour: limitOf(hour, token, perHour),
            perMonth: limitOf(month, token, perMonth),
          }
          return withBudget(before, limits, now)
        })
        print(self, inText({ budget: state.budget }), describeBudget(state, token, now))
      }),
    )
  add('receipts', 'what was paid for, unit by unit')
    .option('--csv', 'as a table with commas, for a spreadsheet')
    .action(({ csv }: { csv?: true }, self: Command) =>
      withPurse(self, context, async ({ memory, token }) => {
        const receipts = await memory.receipts()
        if (csv)
          return void process.stdout.write(
            receiptsCsv(receipts, (amount) => formatAmount(amount, { ...token, symbol: '' }).trim()),
          )
        const lines = receipts.map(
          ({ atMs, track, unit, node, amount }) =>
            `${new Date(atMs).toISOString().slice(0, 19)}  ${track} unit ${unit}  ${formatAmount(amount, token)} to ${node}`,
        )
        print(self, { receipts: receipts.map(inText) }, lines.join('\n') || 'nothing was paid yet')
      }),
    )
}

const insteadOfAsking = { instead: 'give --yes' }

function askAll(owed: bigint, { token }: Purse): string {
  return `${formatAmount(owed, token)} of it you owe for what you heard. A node may still redeem that before the release ends, and earns nothing after it. Take back all the same?`
}

type Purse = {
  readonly connection: Connection
  readonly key: HeldKey
  readonly address: Address
  readonly memory: PurseMemory
  readonly token: Token
  readonly now: number
}
type Wallet = Purse & { readonly reader: EscrowReader; readonly writing: Writing }
type Work<Opened> = (opened: Opened) => void | Promise<void>

/** For what can do without the chain: `reader` is there where the command was given a node of it. */
async function withPurse(
  self: Command,
  context: Context,
  work: Work<Purse & { readonly reader: EscrowReader | undefined }>,
): Promise<void> {
  const { connection, settings } = await openConnection(self, context, { onlyReads: true })
  const reader = readerOf(connection, settings)
  return openPurse({ connection, settings }, context, (purse) => work({ ...purse, reader }))
}

/** For what is read or done on the chain. @throws UsageError without a node of it */
async function withWallet(self: Command, context: Context, work: Work<Wallet>): Promise<void> {
  const { connection, settings } = await openConnection(self, context, { onlyReads: true })
  const reader = chainReader(connection, settings)
  return openPurse({ connection, settings }, context, (purse) =>
    work({ ...purse, reader, writing: writingBy(purse.key, reader, settings, context) }),
  )
}

async function openPurse(
  { connection, settings }: { connection: Connection; settings: Settings },
  context: Context,
  work: Work<Purse>,
): Promise<void> {
  const token = await paidToken(connection, settings, context)
  const key = spendingKey(await keyOf(settings.directory, context))
  const file = await filePurseMemory(settings.directory, key.address)
  const memory = connection.payments === undefined ? file : memoryIn(connection.payments, file)
  try {
    await work({ connection, key, address: key.address, memory, token, now: connection.now() })
  } finally {
    file.close()
  }
}

function keyOf(directory: string, context: Context) {
  return keyStore(directory).open(() => askPassword(context, 'Password: '))
}

function describeBudget(state: PurseState, token: Token, nowMs: number): string {
  const { perHour, perMonth } = state.budget
  const limit = (amount: bigint | null, time: string) =>
    amount === null ? [] : [`${formatAmount(amount, token)} ${time}`]
  const limits = [...limit(perHour, 'an hour'), ...limit(perMonth, 'a month')]
  const left = budgetLeft(state, nowMs)
  return left === null ? 'no limit' : `${limits.join(', ')}; ${formatAmount(left, token)} left now`
}

function limitOf(text: string | undefined, token: Token, before: bigint | null): bigint | null {
  if (text === undefined) return before
  return text === 'none' ? null : amountOf(text, token)
}

/** Amounts as decimal strings, for JSON. */
function inText(value: object): object {
  return JSON.parse(JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? part.toString() : part)))
}
