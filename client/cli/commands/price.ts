import { readFile } from 'node:fs/promises'
import { parsed } from '@hexachord/protocol/checked'
import { type Address, NameError, parseAddress, type Subject } from '@hexachord/protocol/names'
import { checkTerms, type Terms, TermsError, tillJson } from '@hexachord/protocol/payments'
import type { HeldKey } from '@hexachord/sdk/keys'
import {
  type EscrowReader,
  formatAmount,
  type TermsOnChain,
  type Token,
  type Writing,
} from '@hexachord/sdk/paying'
import {
  acceptTrack,
  cancelChange,
  NotTheOwner,
  offerTrack,
  type Price,
  priceByIndex,
  readPrice,
  requireOwner,
  sendTerms,
  setTerms,
  signedTermsSchema,
  signTerms,
} from '@hexachord/sdk/pricing'
import { type Command, InvalidArgumentError } from 'commander'
import { keyStore, UsageError } from '../settings/index.ts'
import { askPassword } from '../terminal/index.ts'
import { addRpcOption, amountOf, chainReader, readerOf, writingBy } from './chain.ts'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'

type Payee = { readonly account: `0x${string}`; readonly bps: number }

export type TermsOptions = { payee?: Payee[]; nodeShare: number; curatorShare: number }

/** Options that say who earns from a track. */
export function addTermsOptions(command: Command): Command {
  return command
    .option(
      '--payee <address:bps>',
      'who shares what node and curator leave, together 10000; may be given several times; default: you',
      payees,
    )
    .option('--node-share <bps>', 'for the node that serves it, 500 to 4000', bps, 1_500)
    .option('--curator-share <bps>', 'for whoever led a listener there, at most 500', bps, 0)
}

type Options = TermsOptions & {
  cancel?: true
  signOnly?: true
  send?: string
  offer?: Address
  accept?: true
}

export function addPriceCommand(program: Command, context: Context): void {
  const command = program
    .command('price')
    .description('what a track of yours costs, and who earns from it; without an amount: what is set')
    .argument('<track>', 'its id, or a link to it')
    .argument('[amount]', 'per 6 s of music, in whole tokens, such as 0.0002; 0 for a free track')
  addRpcOption(addTermsOptions(command))
    .option('--cancel', 'take back a change that is not in force yet')
    .option('--offer <address>', 'hand the track on: whoever accepts it owns its price and income', account)
    .option('--accept', 'take a track that was offered to you')
    .option('--sign-only', 'print signed terms for somebody else to send, and send nothing')
    .option('--send <file>', 'send terms that their owner has signed, and pay for it')
    .addHelpText(
      'after',
      '\nThe first price is in force at once; every change waits for a week. Keys that were rotated in the catalogue' +
        '\ndo not count here: before a key is given up, set a price (0, too) and --offer each track to the new one.',
    )
    .action((text: string, amount: string | undefined, options: Options, self: Command) =>
      price(subjectIn(text, 'track'), amount, options, self, context),
    )
}

async function price(
  track: Subject,
  amount: string | undefined,
  options: Options,
  self: Command,
  context: Context,
): Promise<void> {
  const { connection, settings } = await openConnection(self, context, { onlyReads: true })
  const { cancel, send, offer, accept, signOnly } = options
  const isRead = amount === undefined && !cancel && !send && !offer && !accept && !signOnly
  if (isRead && readerOf(connection, settings) === undefined) {
    const { price: found, token } = await priceByIndex(connection, track, { signal: context.signal })
    return print(self, { track, token, ...inText(found) }, describePrice(found, token))
  }
  const reader = chainReader(connection, settings)
  const token = await reader.token()
  const show = async () => {
    const found = await readPrice(reader, track)
    print(self, { track, token, ...inText(found) }, describePrice(found, token))
  }
  if (isRead) return show()
  const key = await keyStore(settings.directory).open(() => askPassword(context, 'Password: '))
  const writing = writingBy(key, reader, settings, context)
  if (accept) await requireOffered(reader, track, key)
  else if (!send) await owned(requireOwner(reader, track, key.address))
  if (send) await sendTerms(writing, await readSigned(send, track))
  else if (accept) await acceptTrack(writing, track)
  else if (offer) {
    const { inForce } = await readPrice(reader, track)
    if (inForce === undefined) throw new UsageError('set a price first, 0 for none: then it can be handed on')
    await offerTrack(writing, track, offer)
  } else if (cancel) await cancelChange(writing, track)
  else if (signOnly) {
    const terms = termsFrom(amount ?? '', options, key, token)
    const signed = await signTerms(reader, key, track, { terms, nowMs: connection.now() })
    return print(self, signed, JSON.stringify(signed))
  } else await setTerms(writing, track, termsFrom(amount ?? '', options, key, token))
  await show()
}

/** @throws UsageError for a track that nobody offers to this key */
async function requireOffered(reader: EscrowReader, track: Subject, { address }: HeldKey): Promise<void> {
  const { owner, offeredTo } = await readPrice(reader, track)
  if (offeredTo === address) return
  throw new UsageError(
    `${track} is not offered to ${address}: its owner ${owner} says so by --offer ${address}`,
  )
}

/** @throws UsageError where somebody else owns the track */
async function owned(checking: Promise<void>): Promise<void> {
  try {
    await checking
  } catch (error) {
    if (error instanceof NotTheOwner) throw new UsageError(error.message, { cause: error })
    throw error
  }
}

/** @throws UsageError for terms that the contract would refuse */
function termsFrom(amount: string, options: TermsOptions, key: HeldKey, token: Token): Terms {
  const { payee = [{ account: key.address, bps: 10_000 }], nodeShare, curatorShare } = options
  const terms = {
    ...{ unitPrice: amountOf(amount, token), nodeBps: nodeShare, curatorBps: curatorShare },
    payees: payee.map(({ account }) => account),
    payeeBps: payee.map(({ bps: share }) => share),
  }
  try {
    checkTerms(terms)
  } catch (error) {
    if (error instanceof TermsError) throw new UsageError(error.message, { cause: error })
    throw error
  }
  return terms
}

/** Sets the price of tracks that were just published; one that has it already, such as when a command is given again, is
 * left as it is. Wrong terms are an error before anything is published.
 * @returns sets it for one of them */
export async function pricing(
  amount: string,
  options: TermsOptions,
  key: HeldKey,
  writing: Writing,
): Promise<(track: Subject) => Promise<void>> {
  const terms = termsFrom(amount, options, key, await writing.reader.token())
  return async (track) => {
    await owned(requireOwner(writing.reader, track, key.address))
    const { inForce } = await readPrice(writing.reader, track)
    if (inForce === undefined || !isSame(inForce.terms, terms)) await setTerms(writing, track, terms)
  }
}

function isSame(one: Terms, other: Terms): boolean {
  const words = ({ unitPrice, nodeBps, curatorBps, payees, payeeBps }: Terms) =>
    [unitPrice, nodeBps, curatorBps, ...payees, ...payeeBps].join(' ')
  return words(one) === words(other)
}

function describePrice({ owner, offeredTo, inForce, change }: Price, token: Token | undefined): string {
  if (inForce === undefined || token === undefined)
    return `free: no price was ever set; ${owner} can set one, by the first key of its author`
  const pending = change
    ? [
        `from ${new Date(change.effectiveAt * 1000).toISOString().slice(0, 16)} UTC on:`,
        ...describeTerms(change, token),
      ]
    : []
  const offer = offeredTo === undefined ? [] : [`offered    to ${offeredTo}, who has to accept`]
  return [...describeTerms(inForce, token), `owner      ${owner}`, ...offer, ...pending].join('\n')
}

function describeTerms({ terms, version }: TermsOnChain, token: Token): string[] {
  const { unitPrice, nodeBps, curatorBps, payees, payeeBps } = terms
  return [
    `price      ${unitPrice === 0n ? 'free' : `${formatAmount(unitPrice, token)} per 6 s`} (terms ${version})`,
    `shares     node ${nodeBps} bps, curator ${curatorBps} bps; of the rest:`,
    ...payees.map((payee, index) => `payee      ${payee} ${payeeBps[index]} bps`),
  ]
}

function inText(price: Price): object {
  return JSON.parse(tillJson(price))
}

async function readSigned(path: string, track: Subject) {
  try {
    const signed = parsed(signedTermsSchema, JSON.parse(await readFile(path, 'utf8')))
    if (signed.track === track) return signed
  } catch (cause) {
    throw new UsageError(`${path} has no signed terms, as --sign-only prints them`, { cause })
  }
  throw new UsageError(`${path} has terms of another track`)
}

function payees(text: string, before: Payee[] = []): Payee[] {
  const [address = '', share = ''] = text.split(':')
  try {
    return [...before, { account: parseAddress(address), bps: bps(share) }]
  } catch (error) {
    if (error instanceof NameError) throw new InvalidArgumentError(error.message)
    throw error
  }
}

function account(text: string): Address {
  try {
    return parseAddress(text)
  } catch (error) {
    if (error instanceof NameError) throw new InvalidArgumentError(error.message)
    throw error
  }
}

function bps(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text))
    throw new InvalidArgumentError('It must be a number of basis points, such as 1500.')
  return Number(text)
}
