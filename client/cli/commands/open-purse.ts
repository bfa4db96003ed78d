import type { PricedTrack, Track } from '@hexachord/protocol/rest'
import type { Connection } from '@hexachord/sdk/connect'
import type { HeldKey } from '@hexachord/sdk/keys'
import {
  openPurse,
  ownSpender,
  type PaidPlays,
  paidPlays,
  priceInIndex,
  spendingKey,
  type Token,
  termsFromChain,
  termsFromIndex,
} from '@hexachord/sdk/paying'
import type { Command } from 'commander'
import { createMeter, type Meter } from '../playing/index.ts'
import { filePurseMemory, keyStore, type Settings } from '../settings/index.ts'
import { askPassword } from '../terminal/index.ts'
import { addRpcOption, amountOf, readerOf } from './chain.ts'
import type { Context } from './context.ts'
import { addressIn } from './named.ts'

export type SpendingOptions = { budget?: string; curator?: string }

/** Options of commands that pay for music. */
export function addSpendingOptions(command: Command): Command {
  return addRpcOption(
    command
      .option('--budget <amount>', 'what this may cost at most, in whole tokens')
      .option('--curator <address>', 'whose playlist led you there: some artists give them a share'),
  )
}

export type OpenedPurse = {
  readonly paying: PaidPlays
  readonly token: Token
  readonly meter: Meter
  close(): void
}

/** Opens the purse for a track that costs something; nobody is asked for a password for a free one.
 * @param onSpend called after each payment, when the meter knows of it
 * @throws UsageError, KeyError, ApiError */
export async function purseFor(
  track: Track & Partial<Pick<PricedTrack, 'terms'>>,
  { connection, settings }: { connection: Connection; settings: Settings },
  {
    options,
    context,
    onSpend,
  }: { options: SpendingOptions; context: Context; onSpend: (meter: Meter) => void },
): Promise<OpenedPurse | undefined> {
  if (connection.payments === undefined) return undefined
  const reader = readerOf(connection, settings)
  const priced = await (reader
    ? reader.termsOf(track.id, context.signal)
    : priceInIndex(connection, track.id, { told: track.terms, signal: context.signal }))
  if (priced === undefined || priced.terms.unitPrice === 0n) return undefined
  const token = 'token' in priced ? priced.token : await reader?.token()
  if (token === undefined) throw new TypeError('a price that was read from the chain has a token there')
  const key = await keyStore(settings.directory).open(() => askPassword(context, 'Password: '))
  return pursePaying(key, { connection, settings, token, options, onSpend })
}

/** Opens the purse of a key, for whatever is played. @throws UsageError */
export async function pursePaying(
  key: HeldKey,
  {
    connection,
    settings,
    token,
    options,
    onSpend,
  }: {
    connection: Connection
    settings: Settings
    token: Token
    options: SpendingOptions
    onSpend: (meter: Meter) => void
  },
): Promise<OpenedPurse> {
  if (connection.payments === undefined) throw new TypeError('a network with a token has payments')
  const reader = readerOf(connection, settings)
  const spending = spendingKey(key)
  const meter = createMeter(token)
  const most = options.budget === undefined ? undefined : amountOf(options.budget, token)
  const curator = options.curator === undefined ? undefined : addressIn(options.curator)
  const memory = await filePurseMemory(settings.directory, spending.address)
  const purse = await openPurse({
    ...{ connection, network: connection.payments, spender: ownSpender(spending), memory, reader, most },
    termsOf: reader ? termsFromChain(reader) : termsFromIndex(connection),
    onSpend(spent) {
      meter.note(spent)
      onSpend(meter)
    },
  })
  return { paying: paidPlays(purse, { curator }), token, meter, close: memory.close }
}
