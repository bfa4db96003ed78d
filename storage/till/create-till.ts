import { mkdir } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Logger, Metrics } from '@hexachord/platform/process'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import type { Address, Subject } from '@hexachord/protocol/names'
import { paymentDomains, type SentVoucher } from '@hexachord/protocol/payments'
import type { Router } from 'express'
import { lockDirectory } from '../ipfs/directory-lock.ts'
import { createAccept } from './accept-payment.ts'
import {
  type Book,
  type BookRecord,
  type Channel,
  createBook,
  defaultSessionLimits,
  type Session,
  type SessionLimits,
} from './book/index.ts'
import {
  createTillGate,
  openPaidBlocks,
  type PaidBlock,
  type PaidBlocks,
  type TillGate,
  type TokenNetwork,
} from './gate/index.ts'
import { payRoutes } from './http/pay-routes.ts'
import { openJournal } from './journal/index.ts'
import type { PaymentsView } from './payments-view.ts'
import { createPeerMeter, type PeerServed } from './peer-meter.ts'
import { createVoucherSigners, loadNativeRecovery } from './signatures/index.ts'
import { createTillMetrics } from './till-metrics.ts'

export type TillOptions = {
  /** Of the till alone: its journal and its index of paid blocks. */
  readonly directory: string
  readonly network: TokenNetwork
  /** The operator, to whom vouchers are made out. */
  readonly node: Address
  /** Origin of this node as others see it. */
  readonly publicUrl: string
  readonly view: PaymentsView
  /** Tracks that give a node less are refused, with the reason. */
  readonly leastNodeBps: number
  /** Units of each paid track that are free, from its beginning. */
  readonly previewUnits: number
  /** The manifest of a track with its renditions. @throws Problem when it is not here */
  readonly loadTrack: (manifest: string, subject: Subject) => Promise<LoadedTrack>
  /** CID of the manifest that a track has now; undefined for what is no track. */
  readonly liveManifestOf: (subject: Subject) => string | undefined
  /** The operator whose node has signed a request; it pays nothing. Asked only where there is an `Authorization`.
   * @default nobody is one */
  readonly peerOf?: (request: IncomingMessage) => Address | undefined
  /** Whether a free track has a block, too. Not one that was published after the paid one: else whoever publishes the
   * music of others for nothing would make it free. @default no block is shared */
  readonly isFreeElsewhere?: (cid: string, block: PaidBlock) => boolean
  /** Throws a Problem while no money may be taken here, whichever way it comes: then no voucher is taken, and what was paid
   * before is served. @default money is always taken */
  readonly requireOpen?: () => Promise<void>
  /** Where the whole of a track is sold for x402's `exact`; asked whenever a payment is. @default nowhere */
  readonly wholeTrackOf?: (subject: Subject) => string | undefined
  /** What strangers may fetch for nothing, all together. @default 0, which is no limit */
  readonly freeBytesPerSecond?: number
  /** Resolves after so many ms: downloads that are free are paced. @default a timer */
  readonly sleep?: (ms: number) => Promise<unknown>
  readonly limits?: Partial<SessionLimits>
  /** ms since 1970. */
  readonly now: () => number
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * What is paid here, and the gate before what costs something. The chain's side reads `channels` and says what the chain
 * did; what these functions change is on the disk when they resolve, and rejects with `JournalFull` when it cannot be.
 */
export type Till = {
  /** `/pay/sessions` and `/pay/vouchers`. */
  readonly routes: Router
  readonly gate: TillGate
  readonly paidBlocks: PaidBlocks
  /** All that have vouchers, credit or sessions. `last` is what could be frozen; `frozen` waits to be redeemed. */
  channels(): Iterable<Channel>
  /** Frozen vouchers; those of one channel in the order in which the chain takes them. */
  frozen(): { payer: Address; key: Address; voucher: SentVoucher }[]
  /**
   * Ends the vouchers of a channel at the newest one that the contract would redeem after those that are frozen; the next
   * begin there. It stays as it is until it is settled. Full vouchers are frozen without being asked, where none is.
   * @returns the newest frozen voucher, or undefined if there is none that could be redeemed
   */
  freeze(payer: Address, key: Address): Promise<SentVoucher | undefined>
  /** Takes the voucher that no reorganisation can touch in place of a frozen one whose reserve the chain has lost, while
   * none of them is on its way there. What followed it is lost. */
  fallBack(payer: Address, key: Address): Promise<void>
  /** Tells up to where a channel is settled on the chain, once that is final: what was frozen before is forgotten. */
  settled(payer: Address, key: Address, amount: bigint): Promise<void>
  /** Lets vouchers reach a signed reserve that the payer can pay and that is on its way to the chain, until `untilMs`;
   * `unitsBeforeMined` units are served on it. */
  awaitReserve(payer: Address, key: Address, total: bigint, untilMs: number): Promise<void>
  /** Whom a session belongs to, for what else is signed in it; undefined when it is unknown or has ended. */
  session(token: string): Session | undefined
  /** What other operators have fetched here for nothing. */
  peers(): PeerServed[]
  /** What is in memory; for reports, see `reportOf`. */
  readonly book: Book
  close(): Promise<void>
}

/** Each has a reserve on the chain, which costs its payer gas, or had one until a day ago; one takes some kB. */
const mostChannels = 100_000

/**
 * Opens a till, and reads what it knew before.
 * @throws KeyRecoveryMissing, DirectoryLocked while another process has the directory, JournalForeign
 */
export async function createTill(options: TillOptions): Promise<Till> {
  const { directory, view, node, now, logger } = options
  const { recover } = loadNativeRecovery()
  const domain = paymentDomains(options.network).escrow

  await mkdir(directory, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(directory)
  const paidBlocks = openPaidBlocks(join(directory, 'paid-blocks.sqlite'))
  let write = (_: BookRecord): void => {
    throw new TypeError('a book writes nothing while it is read')
  }
  const book = createBook({
    ...{ view, now, mostChannels, leastNodeBps: options.leastNodeBps },
    limits: { ...defaultSessionLimits, ...options.limits },
    write: (record) => write(record),
  })
  const signers = await createVoucherSigners({ domain, node })
  const journal = await openJournal({
    ...{ directory, logger },
    // Whoever's signer is found pays next.
    isMoreComing: signers.isBusy,
    header: JSON.stringify({ till: 1, chainId: domain.chainId, escrow: domain.verifyingContract, node }),
    replay: (text) => book.apply(JSON.parse(text)),
    *snapshot() {
      for (const record of book.snapshot()) yield JSON.stringify(record)
    },
  }).catch((error: unknown) => {
    lock.release()
    paidBlocks.close()
    throw error
  })
  write = (record) => journal.append(JSON.stringify(record))

  const peers = createPeerMeter(options.metrics)
  const isFreeElsewhere = options.isFreeElsewhere ?? (() => false)
  const accept = createAccept({
    book,
    journal,
    signers,
    requireOpen: options.requireOpen ?? (async () => {}),
  })
  const shared = { ...options, book, journal, paidBlocks, domain, recover, accept }
  return {
    routes: payRoutes(shared),
    gate: createTillGate({
      ...{ ...shared, isFreeElsewhere, peerOf: options.peerOf ?? (() => undefined) },
      sleep: options.sleep ?? ((ms) => setTimeout(ms, undefined, { ref: false })),
      freeBytesPerSecond: options.freeBytesPerSecond ?? 0,
      wholeTrackOf: options.wholeTrackOf ?? (() => undefined),
      metrics: createTillMetrics(options.metrics, peers, book.counts),
    }),
    ...{ paidBlocks, book },
    channels: book.channels,
    frozen: () => [...book.frozen()],
    async freeze(payer, key) {
      journal.requireRoom()
      const voucher = book.freeze(payer, key)
      await journal.durable()
      return voucher
    },
    async fallBack(payer, key) {
      journal.requireRoom()
      book.fallBack(payer, key)
      await journal.durable()
    },
    async settled(payer, key, amount) {
      book.settled(payer, key, amount)
      await journal.durable()
    },
    async awaitReserve(payer, key, total, untilMs) {
      journal.requireRoom()
      book.awaitReserve(payer, key, total, untilMs)
      await journal.durable()
    },
    session: book.session,
    peers: peers.report,
    async close() {
      await signers.close()
      await journal.close()
      lock.release()
      paidBlocks.close()
    },
  }
}
