import { type Address, authorOf, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import {
  type ChannelReport,
  type PaymentsNetwork,
  packLines,
  paymentDomains,
  type SentVoucher,
  type Terms,
} from '@hexachord/protocol/payments'
import type { PricedTrack } from '@hexachord/protocol/rest'
import { type Domain, signMessage } from '@hexachord/protocol/signing'
import { hexlify } from 'ethers'
import type { Connection } from '../connect/index.ts'
import { adoptReport, NodeRefused } from './channel-report.ts'
import type { EscrowReader } from './escrow-reader.ts'
import { createHomeNodes, type HomeNodes } from './home-nodes.ts'
import { PaymentNeeded } from './payment-needed.ts'
import { memoryIn, type PurseMemory, type Receipt } from './purse-memory.ts'
import {
  type Budget,
  budgetLeft,
  channelWith,
  isAvoided,
  isFunded,
  type PurseState,
  pay,
  reservedBeside,
  withBorrowed,
  withBudget,
  withChannel,
  withoutHome,
} from './purse-state.ts'
import type { Spender } from './spending-key.ts'

/** Nodes that are paid unless said otherwise: each holds a reserve of its own. */
const usualHomes = 2
const mostHomes = 4
/** How long the terms of a track are good for. A change of them waits a week on the chain. */
const termsForMs = 300_000
const mostTerms = 1_000

/** What of a track's terms a listener has to know. */
export type TrackTerms = Pick<Terms, 'unitPrice' | 'nodeBps' | 'curatorBps'>

/** What the index said of a track's terms in the answer by which the track was found; null for none. */
export type ToldTerms = PricedTrack['terms']
type AskOptions = {
  /** Spares whoever trusts the index a second question; whoever asks the chain asks it all the same. */
  readonly told?: ToldTerms | undefined
  readonly signal?: AbortSignal | undefined
}
/** Terms in force of a track, from the chain or from an index; undefined for a track that has none and is free. */
export type TermsReader = (track: Subject, options?: AskOptions) => Promise<TrackTerms | undefined>

/** Something was signed away. */
export type Spending = Receipt & {
  readonly artist: Address
  /** Since the purse was opened. */
  readonly total: bigint
  /** What the budgets leave, the purse's and `most`; null for no limit. */
  readonly left: bigint | null
}

export type PurseOptions = {
  readonly connection: Pick<Connection, 'discover' | 'http' | 'now'>
  readonly network: PaymentsNetwork
  readonly spender: Spender
  readonly memory: PurseMemory
  /** The artist's price is never taken from a node's word. */
  readonly termsOf: TermsReader
  /** The chain, where it may be asked: for what is deposited, and for what was settled and never told. */
  readonly reader?: EscrowReader | undefined
  /** How many nodes are paid in turn, one to four. @default 2 */
  readonly homes?: number
  /** What may be signed with this purse until it is forgotten, beside the budget. @default no limit */
  readonly most?: bigint | undefined
  readonly onSpend?: (spending: Spending) => void
}

/** What of a payment is for which unit. */
export type Part = Pick<Receipt, 'unit' | 'amount'>

/** A listener's money on this device: what was signed to whom, and what may still be. */
export type Purse = {
  readonly spender: Spender
  readonly domain: Domain
  readonly connection: PurseOptions['connection']
  readonly reader: EscrowReader | undefined
  readonly homes: HomeNodes
  readonly homeCount: number
  state(): Promise<PurseState>
  /** Terms of a track, kept for some minutes. @param fresh asks anew */
  termsOf(track: Subject, options?: AskOptions & { fresh?: boolean }): Promise<TrackTerms | undefined>
  /** Signs a voucher for all that is owed to a node and these parts more; without parts, for what is owed. It is durable before it is returned.
   * @param payment.borrowed as `borrow` takes it, written with the voucher
   * @throws PaymentNeeded when the budget does not allow it, RangeError for more lines than a voucher has */
  sign(
    payment: Omit<Receipt, 'atMs' | 'unit' | 'amount'> & {
      readonly parts: readonly Part[]
      readonly borrowed?: bigint
    },
  ): Promise<SentVoucher>
  /** Tells other plays, also of other pages, that one uses so much more of what it found paid at a node. */
  borrow(node: Address, amount: bigint): Promise<void>
  /** Takes over what a till says of the channel. @throws NodeRefused */
  adopt(report: ChannelReport, node: Address): Promise<void>
  /** What the purse knows of its channel with a node now. */
  channel(node: Address): ReturnType<typeof channelWith>
  /** Asks the chain, where it may be asked, how much of a node's reserve was released. @throws ApiError */
  readReleased(node: Address): Promise<void>
  /** Signs that so much in all shall be reserved for a node. @param deadline unix seconds */
  signReserve(node: Address, total: bigint, deadline: bigint): Promise<string>
  /** Nodes that are paid, the preferred first. Where this program knows of none, another may have chosen some meanwhile. */
  preferredHomes(): Promise<readonly Address[]>
  preferHomes(nodes: readonly Address[]): Promise<void>
  /** Something is reserved for it and not spent, and no play has left it. */
  holdsMoney(node: Address): boolean
  /** What is reserved and not spent at nodes that are no homes, beside one of them; undefined for a home. */
  reservedBeside(node: Address): bigint | undefined
  /** Takes a node that has failed a play out of the homes, for a day or longer. */
  leave(node: Address): Promise<void>
  /** A play has left it lately: it is asked where nobody else serves. */
  isAvoided(node: Address): boolean
  setBudget(budget: Budget): Promise<void>
  /** Writes what is there once more, and changes nothing: the first time takes a browser longest. */
  warmUp(): Promise<void>
  receipts(): Promise<readonly Receipt[]>
}

/** Opens the purse of a spending key. @throws what its memory throws when it is damaged, RangeError */
export async function openPurse(options: PurseOptions): Promise<Purse> {
  const { connection, spender, reader, homes: homeCount = usualHomes } = options
  if (!Number.isInteger(homeCount) || homeCount < 1 || homeCount > mostHomes) {
    throw new RangeError(`a purse pays one to ${mostHomes} nodes in turn`)
  }
  const domain = paymentDomains(options.network).escrow
  const memory = memoryIn(options.network, options.memory)
  const terms = new Map<Subject, { readonly terms: Promise<TrackTerms | undefined>; readonly atMs: number }>()
  let known = await memory.load()
  /** What is signed or about to be: `most` holds also where several sign at once. */
  let promised = 0n
  let total = 0n

  /** Written down only where it changes anything. */
  async function update(...change: Parameters<PurseMemory['update']>): Promise<void> {
    known = await memory.update(...change)
  }

  return {
    spender,
    domain,
    connection,
    reader,
    homes: createHomeNodes(connection, domain),
    homeCount,
    state: () => memory.load(),
    receipts: () => memory.receipts(),
    channel: (node) => channelWith(known, node),

    async termsOf(track, { fresh = false, told, signal } = {}) {
      const before = terms.get(track)
      if (before !== undefined && !fresh && connection.now() - before.atMs < termsForMs) return before.terms
      const asked = options.termsOf(track, fresh ? { signal } : { told, signal })
      terms.set(track, { terms: asked, atMs: connection.now() })
      const [oldest] = terms.keys()
      if (terms.size > mostTerms && oldest) terms.delete(oldest)
      try {
        return await asked
      } catch (error) {
        terms.delete(track)
        throw error
      }
    },

    async sign({ track, node, curator, parts, borrowed = 0n }) {
      const nowMs = connection.now()
      const amount = parts.reduce((sum, part) => sum + part.amount, 0n)
      const line = { track: subjectToBytes32(track), curator, amount }
      const { most } = options
      if (most !== undefined && promised + amount > most) {
        throw new PaymentNeeded('budget', { price: amount, left: most - promised })
      }
      promised += amount
      const receipts = parts.map((part) => ({ atMs: nowMs, track, node, curator, ...part }))
      let voucher: SentVoucher | undefined
      await update(async (state) => {
        const owed = amount > 0n ? pay(state, { ...line, node, nowMs }) : state
        const { channel, sent } = await signChannel(owed, node)
        voucher = sent
        return withChannel(owed, node, withBorrowed(channel, borrowed, nowMs))
      }, receipts).catch((error: unknown) => {
        promised -= amount
        throw error
      })
      if (voucher === undefined) throw new Error('a memory of purses has not called what it was given')
      for (const receipt of receipts) {
        total += receipt.amount
        const lefts = [budgetLeft(known, nowMs), most === undefined ? null : most - total]
        const left = lefts.reduce((least, one) =>
          least === null || (one !== null && one < least) ? one : least,
        )
        options.onSpend?.({ ...receipt, artist: authorOf(track), total, left })
      }
      return voucher
    },

    async borrow(node, amount) {
      await update((state) => {
        const channel = withBorrowed(channelWith(state, node), amount, connection.now())
        return withChannel(state, node, channel)
      })
    },

    async adopt(report, node) {
      const party = { domain, spender, node }
      const channel = channelWith(known, node)
      let settled: bigint | undefined
      try {
        if (adoptReport(channel, report, party) === channel) return
      } catch (error) {
        if (!(error instanceof NodeRefused) || reader === undefined) throw error
        settled = (await readChannel(reader, node)).settled
      }
      await update((state) => {
        const before = channelWith(state, node)
        return withChannel(state, node, adoptReport(before, report, party, settled))
      })
    },

    async readReleased(node) {
      if (reader === undefined) return
      const { released } = await readChannel(reader, node)
      await update((state) => {
        const channel = channelWith(state, node)
        if (released <= channel.released) return state
        return withChannel(state, node, { ...channel, released })
      })
    },

    async signReserve(node, reserveTotal, deadline) {
      await update((state) => {
        const channel = channelWith(state, node)
        const reserved = reserveTotal > channel.reserved ? reserveTotal : channel.reserved
        return withChannel(state, node, { ...channel, reserved, isReleasing: false })
      })
      const message = { payer: spender.payer, node, total: reserveTotal, deadline }
      return signMessage(spender.key.signer, domain, 'Reserve', message)
    },

    async preferredHomes() {
      return known.homes.length > 0 ? known.homes : (await memory.load()).homes
    },

    async preferHomes(nodes) {
      const homesIn = (state: PurseState) => nodes.filter((node) => !isAvoided(state, node, connection.now()))
      const homes = homesIn(known)
      const isSame =
        homes.length === known.homes.length && homes.every((node, at) => node === known.homes[at])
      if (!isSame) await update((state) => ({ ...state, homes: homesIn(state) }))
    },

    holdsMoney: (node) => isFunded(known, node),
    reservedBeside: (node) => reservedBeside(known, node),
    leave: (node) => update((state) => withoutHome(state, node, connection.now())),
    isAvoided: (node) => isAvoided(known, node, connection.now()),

    warmUp: () => update((state) => state),
    setBudget: (budget) => update((state) => withBudget(state, budget, connection.now())),
  }

  function readChannel(reader: EscrowReader, node: Address) {
    return reader.channel(spender.payer, spender.key.address, node)
  }

  async function signChannel(state: PurseState, node: Address) {
    const channel = channelWith(state, node)
    const { base, cumulative } = channel
    const lines = packLines(channel.lines)
    const message = { payer: spender.payer, node, base, cumulative, lines }
    const signature = channel.signature ?? (await signMessage(spender.key.signer, domain, 'Voucher', message))
    const sent: SentVoucher = { payer: spender.payer, base, cumulative, lines: hexlify(lines), signature }
    return { channel: { ...channel, signature }, sent }
  }
}
