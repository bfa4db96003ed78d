import type { Address } from '@hexachord/protocol/names'
import { type Connection, connect } from '@hexachord/sdk/connect'
import { addressFor } from '@hexachord/sdk/finding'
import type { HeldKey } from '@hexachord/sdk/keys'
import type { Command } from 'commander'
import { keyStore, readSettings, type Settings } from '../settings/index.ts'
import { askPassword } from '../terminal/index.ts'
import type { Context } from './context.ts'
import { userIn } from './named.ts'

type GlobalOptions = { discovery?: string; creator?: string; json?: true }

/** Options that stand before or after the command. */
export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals()
}

/** @param onlyReads needs no creator node, so that none is looked for */
export async function openConnection(
  command: Command,
  { env, signal }: Context,
  { onlyReads = false }: { onlyReads?: boolean } = {},
): Promise<{ connection: Connection; settings: Settings }> {
  const settings = await readSettings(env, globalOptions(command))
  const connection = await connect({ ...settings, ...(onlyReads ? { creators: [] } : {}), signal })
  for (const { origin, reason } of connection.dropped) {
    process.stderr.write(`hexachord: ${origin} is left aside: ${reason}\n`)
  }
  return { connection, settings }
}

/** The same for what is done by the user's own key. */
export async function openAccount(
  command: Command,
  context: Context,
  options: { onlyReads?: boolean } = {},
): Promise<{ connection: Connection; account: HeldKey }> {
  const { connection, settings } = await openConnection(command, context, options)
  return {
    connection,
    account: await keyStore(settings.directory).openAuthor(() => askPassword(context, 'Password: ')),
  }
}

/** Reads what the network says of a user: of a named one, or of whoever gives the command.
 * @param named an address, a handle, or a link to the page
 * @throws UsageError, ApiError */
export async function openAboutUser(
  command: Command,
  context: Context,
  named: string | undefined,
): Promise<{ connection: Connection; who: Address }> {
  const { connection, settings } = await openConnection(command, context, { onlyReads: true })
  const { signal } = context
  const who =
    named === undefined
      ? await keyStore(settings.directory).author()
      : await addressFor(connection, userIn(named), { signal })
  return { connection, who }
}

/** Prints the result: one line of JSON, or text for people. */
export function print(command: Command, value: object, text: string): void {
  process.stdout.write(globalOptions(command).json ? `${JSON.stringify(value)}\n` : `${text}\n`)
}
