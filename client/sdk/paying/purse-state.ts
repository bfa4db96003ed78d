import { type Address, addressSchema, type Hash, hashSchema } from '@hexachord/protocol/names'
import { type Line, mostLines } from '@hexachord/protocol/payments'
import type { Domain } from '@hexachord/protocol/signing'
import * as z from 'zod'
import { PaymentNeeded } from './payment-needed.ts'

const amountSchema = z
  .string()
  .regex(/^(0|[1-9][0-9]*)$/)
  .transform(BigInt)
const lineSchema = z.object({ track: hashSchema, curator: addressSchema, amount: amountSchema })
const spentSchema = z.object({ period: z.string(), amount: amountSchema })

const nothingBorrowed = { amount: 0n, atMs: 0 }

const channelSchema = z.object({
  /** Where the vouchers of now begin. */
  base: amountSchema,
  /** What was signed since the beginning of the channel. */
  cumulative: amountSchema,
  /** What was signed since `base`; together `cumulative - base`. */
  lines: z.array(lineSchema),
  /** Of the voucher with these lines; null where there is none. */
  signature: z.string().nullable(),
  /** Highest total that was signed to be reserved. */
  reserved: amountSchema,
  /** Taken back on the chain, as far as was read there. */
  released: amountSchema,
  /** What it holds is asked back. */
  isReleasing: z.boolean().default(false),
  /** What plays use beyond what each has signed itself: they found it there. Some of it may be another play's that goes on. */
  borrowed: z.object({ amount: amountSchema, atMs: z.int() }).default(nothingBorrowed),
})

const nodesSchema = z.object({
  /** By node. */
  channels: z.record(addressSchema, channelSchema),
  /** Nodes that are paid, the preferred first. */
  homes: z.array(addressSchema),
  /** Nodes that plays have left: how often in a row, and until when they are asked last. */
  avoided: z.record(addressSchema, z.object({ times: z.int(), untilMs: z.int() })).default({}),
})

/** For memories that outlive the program that wrote them. Amounts are decimal strings in base units. */
export const purseStateSchema = z.object({
  version: z.literal(1),
  /** Whose nodes these are, by chain and escrow; null where no network was ever named, as in purses of before. */
  network: z.string().nullable().default(null),
  ...nodesSchema.shape,
  /** Nodes of the other networks that the same key pays in. */
  elsewhere: z.record(z.string(), nodesSchema).default({}),
  /** What may be signed in an hour and in a month (UTC); null for no limit. */
  budget: z.object({ perHour: amountSchema.nullable(), perMonth: amountSchema.nullable() }),
  spent: z.object({ hour: spentSchema, month: spentSchema }),
})

/** All that a purse must never forget. */
export type PurseState = z.output<typeof purseStateSchema>
export type Channel = z.output<typeof channelSchema>
export type Budget = PurseState['budget']

/** Channels that are remembered. */
const mostChannels = 64
/** Some units: whoever lacks what another has used finds that out with its next one. */
const borrowedForMs = 60_000

/** A node that a play has left is asked last for a day, and each time that it is left again for twice as long. */
const avoidedForMs = 86_400_000
const longestAvoidedMs = 32 * avoidedForMs
/** More nodes than one listener is paid by in a month. */
const mostAvoided = 64

export const noLimit: Budget = { perHour: null, perMonth: null }

export function emptyState(budget: Budget = noLimit): PurseState {
  const spent = { period: '', amount: 0n }
  return {
    ...{ version: 1, network: null, channels: {}, homes: [], avoided: {}, elsewhere: {} },
    ...{ budget, spent: { hour: spent, month: spent } },
  }
}

const emptyChannel: Channel = {
  base: 0n,
  cumulative: 0n,
  lines: [],
  signature: null,
  reserved: 0n,
  released: 0n,
  isReleasing: false,
  borrowed: nothingBorrowed,
}

export function channelWith(state: PurseState, node: Address): Channel {
  return state.channels[node] ?? emptyChannel
}

/** Where there is no room for one more, the channel that was opened first of those that hold nothing is forgotten.
 * @throws RangeError where all of them hold something */
export function withChannel(state: PurseState, node: Address, channel: Channel): PurseState {
  const isNew = state.channels[node] === undefined
  const isFull = isNew && Object.keys(state.channels).length >= mostChannels
  const { channels } = isFull ? withoutEmptyChannel(state) : state
  return { ...state, channels: { ...channels, [node]: channel } }
}

function withoutEmptyChannel(state: PurseState): PurseState {
  const empty = Object.entries(state.channels).filter(
    ([node, channel]) => !state.homes.includes(node as Address) && holdsNothing(channel),
  )
  // What is not settled yet is told by its node, by our own signature, should it be paid again; that spares it the trouble.
  const [settled = empty[0]] = empty.filter(([, { lines }]) => lines.length === 0)
  if (settled === undefined) {
    throw new RangeError(`a purse pays at most ${mostChannels} nodes: release what some hold`)
  }
  const { [settled[0] as Address]: _, ...channels } = state.channels
  return { ...state, channels }
}

/** All that was reserved is spent or released, by what is known here. */
function holdsNothing(channel: Channel): boolean {
  return unspentOf(channel) === 0n
}

function unspentOf({ reserved, released, cumulative }: Channel): bigint {
  const unspent = reserved - released - cumulative
  return unspent > 0n ? unspent : 0n
}

/** What a node has reserved can be spent there: none that a play has left, however long ago, is chosen for that, and none
 * from which it is asked back. */
export function isFunded(state: PurseState, node: Address): boolean {
  const channel = channelWith(state, node)
  return !holdsNothing(channel) && !channel.isReleasing && state.avoided[node] === undefined
}

/** The state after what a node holds was asked back: it takes no voucher from that, so that others are to be asked first. */
export function withReleasing(state: PurseState, node: Address): PurseState {
  const homes = state.homes.filter((home) => home !== node)
  const channel = state.channels[node]
  const left = { ...state, homes }
  return channel === undefined ? left : withChannel(left, node, { ...channel, isReleasing: true })
}

/** What is reserved and not spent at nodes that are no homes, beside one of them; undefined for a home. */
export function reservedBeside({ channels, homes }: PurseState, node: Address): bigint | undefined {
  if (homes.includes(node)) return undefined
  return Object.entries(channels).reduce((sum, [other, channel]) => {
    const isKnown = other === node || homes.includes(other as Address)
    return isKnown ? sum : sum + unspentOf(channel)
  }, 0n)
}

export function isAvoided({ avoided }: PurseState, node: Address, nowMs: number): boolean {
  return (avoided[node]?.untilMs ?? 0) > nowMs
}

/** The state after a play has left a node: it is no home any more. Whoever has gone long without that begins anew. */
export function withoutHome(state: PurseState, node: Address, nowMs: number): PurseState {
  if (isAvoided(state, node, nowMs)) return state
  const isRemembered = ([, { untilMs }]: (typeof entries)[number]) => untilMs + longestAvoidedMs > nowMs
  const entries = Object.entries(state.avoided) as [Address, PurseState['avoided'][Address]][]
  const known = entries.filter(isRemembered).sort(([, one], [, other]) => other.untilMs - one.untilMs)
  const { [node]: before, ...others } = Object.fromEntries(
    known.slice(0, mostAvoided),
  ) as PurseState['avoided']
  const times = (before?.times ?? 0) + 1
  const untilMs = nowMs + Math.min(longestAvoidedMs, avoidedForMs * 2 ** (times - 1))
  const homes = state.homes.filter((home) => home !== node)
  return { ...state, homes, avoided: { ...others, [node]: { times, untilMs } } }
}

/** The state after the chain was asked what of a node's reserve has been taken back, which never falls. */
export function withReleased(state: PurseState, node: Address, released: bigint): PurseState {
  const channel = state.channels[node]
  if (channel === undefined || released <= channel.released) return state
  return withChannel(state, node, { ...channel, released, isReleasing: false })
}

/** What plays use of what others have paid: what was told long ago is no matter of those that play now. */
export function borrowedIn({ borrowed }: Channel, nowMs: number): bigint {
  return nowMs - borrowed.atMs < borrowedForMs ? borrowed.amount : 0n
}

/** @param more negative for what is given back */
export function withBorrowed(channel: Channel, more: bigint, nowMs: number): Channel {
  if (more === 0n) return channel
  const amount = borrowedIn(channel, nowMs) + more
  return { ...channel, borrowed: { amount: amount > 0n ? amount : 0n, atMs: nowMs } }
}

/** The state with the nodes of a network: what was signed for one escrow is worth nothing at another. Budgets are the
 * key's, wherever it pays. */
export function inNetwork(state: PurseState, { chainId, verifyingContract }: Domain): PurseState {
  const network = `${chainId} ${verifyingContract.toLowerCase()}`
  if (state.network === network) return state
  // Of before networks were told apart: those nodes are of the first that is named.
  if (state.network === null) return { ...state, network }
  const { channels, homes, avoided } = state
  const { [network]: nodes = { channels: {}, homes: [], avoided: {} }, ...others } = state.elsewhere
  return {
    ...state,
    network,
    ...nodes,
    elsewhere: { ...others, [state.network]: { channels, homes, avoided } },
  }
}

/** What may still be signed now, in base units; null for no limit. */
export function budgetLeft({ budget, spent }: PurseState, nowMs: number): bigint | null {
  const lefts = [
    leftOf(budget.perHour, spent.hour, hourOf(nowMs)),
    leftOf(budget.perMonth, spent.month, monthOf(nowMs)),
  ].filter((left) => left !== null)
  return lefts.length === 0 ? null : lefts.reduce((least, left) => (left < least ? left : least))
}

/** Also forgets periods that lie ahead: a clock that once was wrong would else count into them until they come. */
export function withBudget(state: PurseState, budget: Budget, nowMs: number): PurseState {
  const { hour, month } = state.spent
  const known = (spent: Spent, period: string) => (spent.period > period ? { ...spent, period } : spent)
  return {
    ...state,
    budget,
    spent: { hour: known(hour, hourOf(nowMs)), month: known(month, monthOf(nowMs)) },
  }
}

/** The state after one more payment, which is yet to be signed.
 * @throws PaymentNeeded when it would pass the budget, RangeError when a voucher cannot have another line */
export function pay(
  state: PurseState,
  { node, track, curator, amount, nowMs }: Line & { node: Address; nowMs: number },
): PurseState {
  const left = budgetLeft(state, nowMs)
  if (left !== null && amount > left) throw new PaymentNeeded('budget', { price: amount, left })
  const channel = channelWith(state, node)
  const lines = addLine(channel.lines, { track, curator, amount })
  if (lines.length > mostLines) {
    throw new RangeError(`a voucher has at most ${mostLines} lines: its node has to redeem some first`)
  }
  const { hour, month } = state.spent
  return {
    ...withChannel(state, node, {
      ...channel,
      lines,
      cumulative: channel.cumulative + amount,
      signature: null,
    }),
    spent: { hour: spend(hour, hourOf(nowMs), amount), month: spend(month, monthOf(nowMs), amount) },
  }
}

/** What a channel's lines pay for a track, whoever led there. */
export function paidFor(lines: readonly Line[], track: Hash): bigint {
  return lines.reduce((sum, line) => (line.track === track ? sum + line.amount : sum), 0n)
}

export function sumOf(lines: readonly Line[]): bigint {
  return lines.reduce((sum, { amount }) => sum + amount, 0n)
}

function addLine(lines: readonly Line[], added: Line): Line[] {
  const at = lines.findIndex(({ track, curator }) => track === added.track && curator === added.curator)
  const known = lines[at]
  return known === undefined
    ? [...lines, added]
    : lines.with(at, { ...known, amount: known.amount + added.amount })
}

type Spent = z.output<typeof spentSchema>

/** A clock that was set back opens no new period. */
function spend(spent: Spent, period: string, amount: bigint): Spent {
  return period > spent.period ? { period, amount } : { ...spent, amount: spent.amount + amount }
}

function leftOf(limit: bigint | null, spent: Spent, period: string): bigint | null {
  if (limit === null) return null
  const left = limit - (period > spent.period ? 0n : spent.amount)
  return left > 0n ? left : 0n
}

function hourOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 13)
}

function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7)
}
