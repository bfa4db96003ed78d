import type { Connection } from '@hexachord/sdk/connect'
import { currencyOf } from '@hexachord/sdk/income'
import type { HeldKey } from '@hexachord/sdk/keys'
import {
  type EscrowReader,
  parseAmount,
  readEscrow,
  type Token,
  tokenOf,
  type Writing,
} from '@hexachord/sdk/paying'
import { rpcPayer } from '@hexachord/sdk/writing'
import type { Command } from 'commander'
import { type Settings, UsageError } from '../settings/index.ts'
import type { Context } from './context.ts'

/** An option of commands that ask the chain themselves. */
export function addRpcOption(command: Command): Command {
  return command.option('--rpc <url>', 'JSON-RPC of a node of the chain; default: HEXACHORD_RPC')
}

/** What a command reads of the chain; undefined where it was given no node of it. @throws UsageError */
export function readerOf(connection: Connection, { rpc }: Settings): EscrowReader | undefined {
  if (connection.payments === undefined) {
    throw new UsageError('all music of this network is free: there is nothing to pay, and nothing to be paid')
  }
  return rpc === undefined ? undefined : readEscrow(connection.http, rpc, connection.payments)
}

/** The same for commands that cannot do without. @throws UsageError */
export function chainReader(connection: Connection, settings: Settings): EscrowReader {
  const reader = readerOf(connection, settings)
  if (reader === undefined) throw new UsageError('this needs --rpc with the URL of a node of the chain')
  return reader
}

/** What is paid with here: as the chain says, where it may be asked, else the index. @throws UsageError, ApiError */
export async function paidToken(
  connection: Connection,
  settings: Settings,
  { signal }: Context,
): Promise<Token> {
  const reader = readerOf(connection, settings)
  if (reader !== undefined) return reader.token()
  const currency = await currencyOf(connection, { signal })
  if (currency !== null) return tokenOf(currency)
  throw new UsageError(
    'the index has not read yet what is paid with here: give --rpc with the URL of a node of the chain',
  )
}

/** Sends transactions by a key, which pays for them. */
export function writingBy(
  key: HeldKey,
  reader: EscrowReader,
  { rpc = '' }: Settings,
  { signal }: Context,
): Writing {
  return { reader, payer: rpcPayer(key, rpc), signal }
}

/** Base units of an amount that somebody typed. @throws UsageError */
export function amountOf(text: string, token: Token): bigint {
  try {
    return parseAmount(text, token)
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error })
    throw error
  }
}
