import { join } from 'node:path'
import type { NetworkFile } from '@hexachord/contracts/networks'
import {
  type ChainReader,
  createSender,
  MalformedAnswer,
  RpcError,
  RpcUnavailable,
  type Sender,
} from '@hexachord/platform/chain'
import type { GuardedFetch } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import { isDatabaseFull, openSqlite } from '@hexachord/platform/sqlite'
import type { Address } from '@hexachord/protocol/names'
import { paymentDomains } from '@hexachord/protocol/payments'
import type { Recover } from '@hexachord/protocol/signing'
import type { Wallet } from 'ethers'
import type { Catalogue } from '../../catalogue/index.ts'
import { type FollowedPayments, followPayments } from './follow-payments.ts'
import { createOfferSource, type OfferSource } from './offer-routes.ts'
import { createOnlyTill, type OnlyTill } from './only-till.ts'
import { escrowInterface } from './payment-logs.ts'
import { createPurse } from './purse.ts'
import { createRedeemer, type RedeemableBook } from './redeemer.ts'
import { createReserveRelay, type ReserveRelay } from './reserve-relay.ts'
import { createTillTables, tillMigrations } from './till-tables.ts'

/** What an operator decides about its till. */
export type TillTerms = {
  /** Tracks that give a node less are not served. */
  readonly leastNodeBps: number
  /** Units of a paid track that are free, from its beginning. */
  readonly previewUnits: number
  /** What is owed is redeemed at least so often. */
  readonly redeemEveryMs: number
  /** What a base unit of the payment token is worth, in wei; zero to let gas cost nothing. */
  readonly weiPerUnit: bigint
}

/** What of a till the chain's side needs. */
export type TillBook = RedeemableBook & {
  awaitReserve(payer: Address, key: Address, total: bigint, untilMs: number): unknown
}

/** Amounts of tokens in base units, and of gas in wei, as decimal strings. */
export type TillChainStatus = {
  readonly redeemed: string
  readonly gasSpentWei: string
  /** Null before it was asked for. */
  readonly hotKeyWei: string | null
  /** Whether the hot key will soon have nothing to redeem with. */
  readonly isShortOfGas: boolean
  /** Redemptions that are not final. */
  readonly redeeming: number
  readonly indexed: number
  /** Why no money is taken here; null while it is. */
  readonly trouble: string | null
}

/** The chain's side of a till. */
export type TillChain = {
  readonly view: FollowedPayments
  readonly offers: OfferSource
  readonly only: OnlyTill
  /** Sends from the hot key. */
  readonly sender: Pick<Sender, 'enqueue' | 'status' | 'onChange' | 'retry'>
  /** In wei, as of a moment ago. */
  gasPrice(): Promise<bigint>
  /** Begins to work for a book, which is filled from `view`. */
  start(book: TillBook): ReserveRelay
  status(): TillChainStatus
  close(): Promise<void>
}

const defaultRoundMs = 5_000
const [lookEveryMs, lookAgainMs] = [60_000, 5_000]

/**
 * Opens what a till reads of the chain and sends there. All that is in `till.sqlite` can be lost without losing money, but
 * for reserves and redemptions on their way, which somebody else then has to send.
 */
export function openTillChain(options: {
  directory: string
  network: NetworkFile
  reader: ChainReader
  rpcUrls: readonly string[]
  hotKey: Wallet
  operator: Address
  publicUrl: string
  catalogue: Pick<Catalogue, 'operators'>
  terms: TillTerms
  fetch: GuardedFetch
  recover?: Recover | undefined
  logger: Logger
  signal: AbortSignal
  /** Unix time in ms. */
  now: () => number
  /** Between looks at the head, and between rounds. @default as of `followChain`, and 5 s */
  pollMs?: number | undefined
}): TillChain {
  const { network, reader, hotKey, operator, terms, fetch, logger, signal, now, publicUrl, pollMs } = options
  if (network.payments === undefined) throw new TypeError('the network has no payments')
  const domain = paymentDomains({ ...network, payments: network.payments }).escrow
  const database = openSqlite(join(options.directory, 'till.sqlite'), { migrations: tillMigrations })
  const tables = createTillTables(database)
  const view = followPayments({ database, reader, network, operator, now, signal, logger, pollMs })
  const sender = createSender({
    ...{ database, rpcUrls: options.rpcUrls, privateKey: hotKey.privateKey, logger, signal },
    ...{ chainId: network.chainId, finalityBlocks: network.finalityBlocks, interfaces: [escrowInterface] },
    ...(pollMs === undefined ? {} : { pollMs }),
  })
  const { rpc } = reader
  const purse = createPurse({ rpc, account: sender.address, now })
  const { leastNodeBps, previewUnits, redeemEveryMs: everyMs, weiPerUnit } = terms
  const offers = createOfferSource({
    ...{ hotKey, domain, operator, endpoint: publicUrl, leastNodeBps, previewUnits, now },
  })
  const only = createOnlyTill({
    ...{ name: tables.name(), publicUrl, operator, catalogue: options.catalogue, fetch, logger, signal, now },
    otherSeen: { at: tables.otherSeenAt, set: tables.setOtherSeenAt },
  })
  const ending = new AbortController()
  let wake = Promise.withResolvers<void>()
  let working: Promise<void> | undefined
  let unsubscribe = () => {}

  async function pause(): Promise<void> {
    const timer = setTimeout(() => wake.resolve(), pollMs ?? defaultRoundMs)
    await wake.promise
    clearTimeout(timer)
    wake = Promise.withResolvers()
  }

  /** @param round all that is done again and again */
  async function work(round: () => Promise<void>): Promise<void> {
    let complaint: string | undefined
    while (!ending.signal.aborted && !signal.aborted) {
      try {
        await round()
        complaint = undefined
      } catch (err) {
        if (ending.signal.aborted || signal.aborted) return
        if (!mayPass(err)) throw err
        if (err.message !== complaint) logger.warn({ err }, 'the till has to wait for the chain, or for room')
        complaint = err.message
      }
      await pause()
    }
  }

  function start(book: TillBook): ReserveRelay {
    const shared = {
      ...{ view, tables, sender, rpc, operator, weiPerUnit, now },
      ...{ gasPrice: purse.gasPrice, costOf: purse.costOf },
    }
    const relay = createReserveRelay({
      ...{ ...shared, domain, recover: options.recover },
      awaitReserve: async (payer, key, total, untilMs) => {
        await book.awaitReserve(payer, key, total, untilMs)
      },
    })
    const redeemer = createRedeemer({
      ...{ ...shared, book, escrow: domain.verifyingContract, everyMs, logger },
    })
    let [purseAt, onlyAt] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
    working = work(async () => {
      // First, and whether or not the chain answers: money is taken once this is known.
      if (now() - onlyAt >= lookEveryMs) {
        await only.look()
        onlyAt = now()
      }
      await relay.sweep()
      await redeemer.round()
      if (now() - purseAt < (purse.balance()?.isShort ? lookAgainMs : lookEveryMs)) return
      await purse.look()
      purseAt = now()
    })
    // A release that was announced is answered at once.
    unsubscribe = view.onChange(() => wake.resolve())
    return relay
  }

  return {
    ...{ view, offers, only, sender, start, gasPrice: purse.gasPrice },
    status() {
      const { redeemed, gasWei } = tables.totals()
      const balance = purse.balance()
      return {
        redeemed: redeemed.toString(),
        gasSpentWei: gasWei.toString(),
        hotKeyWei: balance?.wei.toString() ?? null,
        isShortOfGas: balance?.isShort ?? false,
        redeeming: tables.redemptions().length,
        indexed: view.indexed(),
        trouble: only.trouble() ?? null,
      }
    },
    async close() {
      ending.abort(new DOMException('the till is closing', 'AbortError'))
      unsubscribe()
      wake.resolve()
      await working
      await sender.close()
      await view.close()
      database.close()
    },
  }
}

function mayPass(error: unknown): error is Error {
  return (
    error instanceof RpcError ||
    error instanceof RpcUnavailable ||
    error instanceof MalformedAnswer ||
    isDatabaseFull(error)
  )
}
