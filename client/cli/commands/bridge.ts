import { type Bridge, startBridge } from '@hexachord/sdk/bridge'
import type { Connection } from '@hexachord/sdk/connect'
import { trackFor } from '@hexachord/sdk/finding'
import { formatAmount, PaymentNeeded } from '@hexachord/sdk/paying'
import { accountPass } from '@hexachord/sdk/writing'
import type { Command } from 'commander'
import type { Meter } from '../playing/index.ts'
import { keyStore, type Settings, UsageError } from '../settings/index.ts'
import { askPassword } from '../terminal/index.ts'
import { paidToken } from './chain.ts'
import { globalOptions, openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { addSpendingOptions, type OpenedPurse, pursePaying, type SpendingOptions } from './open-purse.ts'

type Options = SpendingOptions & { port?: string }

export function addBridgeCommand(program: Command, context: Context): void {
  const command = program
    .command('bridge')
    .description(
      'a server on this machine by which any player (VLC, mpv, MPD) hears all tracks, also those that cost something; until Ctrl-C',
    )
    .argument('[tracks...]', 'whose URLs are told: ids, links, or words to search for')
    .option('--port <number>', 'where it listens, on this machine only; default: any free one')
    .addHelpText(
      'after',
      '\nIts URLs hold a secret, another one at each start: whoever has one can play, and have it paid for, while the bridge runs.',
    )
  addSpendingOptions(command).action((texts: string[], options: Options, self: Command) =>
    bridge(texts, options, self, context),
  )
}

async function bridge(texts: string[], options: Options, self: Command, context: Context): Promise<void> {
  const { signal } = context
  const port = options.port === undefined ? undefined : portOf(options.port)
  const { connection, settings } = await openConnection(self, context)
  const tracks = []
  for (const text of texts) tracks.push(await trackFor(connection, text, { signal }))
  const { json } = globalOptions(self)
  const teller = json ? tellInJson : tellInWords
  const opened = await openForListening({ connection, settings }, options, context, teller)
  let server: Bridge | undefined
  try {
    server = await startBridge(connection, {
      ...opened.options,
      ...(port === undefined ? {} : { port }),
      onFault: ({ source, kind }) => process.stderr.write(`hexachord: ${source} ${kind}; asking another\n`),
      onFailure: (track, error) => teller.failed(track, reasonOf(error, opened.purse)),
    }).catch((cause: unknown) => {
      const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
      throw isTaken ? new UsageError(`--port: ${port} is taken on this machine`, { cause }) : cause
    })
    const { urlOf, base, origin } = server
    const told = tracks.map(({ id, title, artist }) => ({ track: id, title, artist, url: urlOf(id) }))
    const url = `${base}<track>/master.m3u8`
    const lines = told.map((track) => `${track.url}  ${track.title} by ${track.artist}`)
    print(self, { origin, url, tracks: told }, [url, ...lines].join('\n'))
    await aborted(signal)
  } finally {
    await server?.close()
    opened.purse?.close()
    if (opened.purse) teller.ended(opened.purse.meter)
  }
}

/** What a listener brings: nobody can be asked for a password once a player plays.
 * @throws UsageError, KeyError, ApiError */
async function openForListening(
  { connection, settings }: { connection: Connection; settings: Settings },
  options: SpendingOptions,
  context: Context,
  teller: Teller,
) {
  const keys = keyStore(settings.directory)
  if (!(await keys.exists())) {
    process.stderr.write("hexachord: there is no key ('hexachord key new'): only free tracks play\n")
    return { options: {}, purse: undefined }
  }
  const key = await keys.open(() => askPassword(context, 'Password: '))
  const pass = accountPass(connection, key)
  if (connection.payments === undefined) return { options: { pass }, purse: undefined }
  const token = await paidToken(connection, settings, context)
  const purse = await pursePaying(key, { connection, settings, token, options, onSpend: teller.spent })
  return { options: { pass, paying: purse.paying }, purse }
}

/** Says what happens while players play, on stderr. */
type Teller = {
  spent(meter: Meter): void
  failed(track: string, reason: string): void
  ended(meter: Meter): void
}

const tellInWords: Teller = {
  // One line that changes, where there is a terminal.
  spent: (meter) =>
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${meter.text()}` : `${meter.text()}\n`),
  failed: (track, reason) => process.stderr.write(`hexachord: ${track} does not play: ${reason}\n`),
  ended: (meter) => process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}${meter.text()}\n`),
}

const tellInJson: Teller = {
  spent: (meter) => process.stderr.write(`${JSON.stringify({ paid: meter.paid() })}\n`),
  failed: (track, error) => process.stderr.write(`${JSON.stringify({ track, error })}\n`),
  ended: (meter) => process.stderr.write(`${JSON.stringify({ paid: meter.paid() ?? null, ended: true })}\n`),
}

function reasonOf(error: unknown, purse: OpenedPurse | undefined): string {
  const told =
    error instanceof PaymentNeeded && purse
      ? error.with((amount) => formatAmount(amount, purse.token))
      : error
  return (told instanceof Error ? told.message : String(told)).replace(/\s*\n\s*/g, ' ')
}

/** @throws UsageError */
function portOf(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new UsageError(`--port: '${text}' is no number from 1 to 65535`)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
