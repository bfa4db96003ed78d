import { join } from 'node:path'
import type { NetworkFile } from '@hexachord/contracts/networks'
import type { ChainReader } from '@hexachord/platform/chain'
import type { GuardedFetch } from '@hexachord/platform/http'
import type { Logger, Metrics } from '@hexachord/platform/process'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import { type Address, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { unitCount } from '@hexachord/protocol/payments'
import type { Wallet } from 'ethers'
import { Router } from 'express'
import { type Catalogue, liveTrack } from '../catalogue/index.ts'
import { BlockNotFound, type IpfsNode } from '../ipfs/index.ts'
import { createPeerCheck } from '../peers/index.ts'
import type { Takedowns } from '../takedowns/index.ts'
import { fetchFromHolders } from '../tracks/index.ts'
import { offerRoutes, openTillChain, type TillChainStatus, type TillTerms } from './chain/index.ts'
import { createTill, type Till } from './create-till.ts'
import { createFreeElsewhere } from './free-elsewhere.ts'
import type { TillGate } from './gate/index.ts'
import { reserveRoutes } from './http/reserve-routes.ts'
import { keepPaidBlocks, type PaidBlockKeeper } from './keep-paid-blocks.ts'
import { createSoldTracks } from './load-sold-track.ts'
import type { PeerServed } from './peer-meter.ts'
import { createPurchases, purchaseRoutes } from './purchases/index.ts'
import { reportOf } from './report.ts'
import { loadNativeRecovery } from './signatures/index.ts'

/** `till` of a node's `/status`. Amounts of tokens in base units, and of gas in wei, as decimal strings. */
export type TillStatus = TillChainStatus & {
  readonly channels: number
  readonly sessions: number
  /** What was paid for and is not redeemed. */
  readonly owed: string
  /** What of that is not spent yet. */
  readonly credit: string
  /** What other operators have fetched here for nothing since the start: those twenty that have most. */
  readonly peers: readonly PeerServed[]
}

/** The till of a node, with all that belongs to it. */
export type NodeTill = {
  readonly gate: TillGate
  /** All of `/pay/`. */
  readonly routes: Router
  /** Gets a block of a track that somebody pays for here from its holders; BlockNotFound for any other. */
  fetchMissing(cid: string, signal: AbortSignal): Promise<Uint8Array>
  /** Price of a unit of a track now; undefined for one without terms. */
  priceOf(subject: Subject): bigint | undefined
  /** The manifest of a track, from here or from its holders. @throws Problem 410, 502 */
  loadTrack(manifest: string, subject: Subject): Promise<LoadedTrack>
  /** What costs something of what is here: to be told what is brought here. */
  readonly paidBlocks: Pick<PaidBlockKeeper, 'expect' | 'reconsider'>
  /** What is here, and manifests of tracks that somebody pays for here, for playlists. */
  readonly blocks: Pick<IpfsNode, 'get'>
  /** Sells whole tracks as files, before `audio` gives them: see `purchaseRoutes`. Undefined where the network has no
   * contract for it. */
  purchases(audio: Router): Router | undefined
  status(): TillStatus
  close(): Promise<void>
}

const fetchMs = 15_000

/**
 * Opens the till of a node whose network has payments.
 * @throws as `createTill`
 */
export async function openNodeTill(options: {
  /** Of the node; what belongs to the till is in `till` below it. */
  directory: string
  network: NetworkFile
  reader: ChainReader
  rpcUrls: readonly string[]
  hotKey: Wallet
  operator: Address
  publicUrl: string
  catalogue: Catalogue
  ipfs: Pick<IpfsNode, 'get' | 'has'>
  takedowns: Pick<Takedowns, 'requireServed'>
  terms: TillTerms & { readonly freeBytesPerSecond: number; readonly leastPurchase: bigint }
  fetch: GuardedFetch
  /** Signs as a peer, see `createPeerFetch`. */
  peerFetch: GuardedFetch
  metrics: Metrics
  logger: Logger
  signal: AbortSignal
  /** Unix time in ms. */
  now: () => number
  pollMs?: number | undefined
}): Promise<NodeTill | undefined> {
  const { network, catalogue, ipfs, takedowns, terms, metrics, logger, publicUrl, now } = options
  const { operator: node, peerFetch } = options
  if (network.payments === undefined) return undefined
  const directory = join(options.directory, 'till')
  const { recover } = loadNativeRecovery()
  const fetchFrom = fetchFromHolders({ catalogue, fetch: peerFetch, self: node })
  const peerOf = createPeerCheck({
    ...{ domain: catalogue.rules.domain, audience: publicUrl, catalogue, recover, now },
  })
  const sold = createSoldTracks({ ipfs, takedowns, fetchFrom })
  const liveManifestOf: Parameters<typeof createTill>[0]['liveManifestOf'] = (subject) =>
    liveTrack(subject, catalogue.subject(subject))?.manifest

  const chain = openTillChain({ ...options, directory, recover })
  const { view } = chain
  const freeElsewhere = createFreeElsewhere({ catalogue, view })
  const { trackPurchases, token } = network.payments
  const shop =
    trackPurchases &&
    createPurchases({
      ...{ network: { ...network, payments: { token, trackPurchases } }, node, chain: options.reader },
      ...{ sender: chain.sender, termsOf: view.termsOf, leastPrice: terms.leastPurchase, now },
      ...{ leastNodeBps: terms.leastNodeBps, weiPerUnit: terms.weiPerUnit, gasPrice: chain.gasPrice },
      requireOpen: chain.only.requireOpen,
    })

  /** What is there to be bought, and for how much, its own 402 says. */
  function wholeTrackOf(subject: Subject): string | undefined {
    const whole = till.paidBlocks.wholeOf(subject)
    if (!shop || whole === undefined || !shop.sells(subject, whole.units)) return undefined
    const isSeller = freeElsewhere.sellerOf(whole.manifest) === subject
    return isSeller ? `${publicUrl}/audio/${whole.manifest}` : undefined
  }

  const till = await createTill({
    ...{ directory, network: { ...network, payments: network.payments }, node, publicUrl, view },
    ...{ leastNodeBps: terms.leastNodeBps, previewUnits: terms.previewUnits },
    ...{ loadTrack: sold.load, liveManifestOf },
    peerOf: (request) => peerOf(request)?.operator,
    ...{ isFreeElsewhere: freeElsewhere.isFreeElsewhere, wholeTrackOf, requireOpen: chain.only.requireOpen },
    ...{ freeBytesPerSecond: terms.freeBytesPerSecond, now, logger, metrics },
  }).catch(async (error: unknown) => {
    freeElsewhere.close()
    await chain.close()
    throw error
  })
  const relay = chain.start(till)
  const paidBlocks = keepPaidBlocks({
    ...{ view, catalogue, paidBlocks: till.paidBlocks, ipfs, logger, everyMs: options.pollMs },
  })

  const routes = Router()
  routes.use(offerRoutes(chain.offers), chain.only.routes)
  routes.use('/pay', chain.only.guard)
  routes.use(
    till.routes,
    reserveRoutes({
      ...{ session: till.session, view, relay },
      reportOf: (session) => reportOf({ book: till.book, view, node }, session),
    }),
  )

  const status = (): TillStatus => ({
    ...chain.status(),
    ...till.book.counts(),
    ...owedIn(till),
    peers: till.peers().slice(0, 20),
  })
  exposeTill(metrics, status)

  async function fetchMissing(cid: string, signal: AbortSignal): Promise<Uint8Array> {
    const subject = till.paidBlocks.of(cid)[0]?.subject ?? sold.subjectOf(cid)
    if (subject === undefined) throw new BlockNotFound(cid)
    return fetchFrom(subject, cid, signal)
  }

  /** Only what is here is sold, and nothing of which there is no file. */
  async function soldAs(manifest: string) {
    const subject = freeElsewhere.sellerOf(manifest)
    if (subject === undefined || !(await ipfs.has(manifest))) return undefined
    const track = await sold.load(manifest, subject)
    return track.manifest.keyHolders === undefined ? { subject, units: unitCount(track) } : undefined
  }

  function purchases(audio: Router): Router | undefined {
    if (!shop) return undefined
    return purchaseRoutes({
      ...{ purchases: shop, soldAs, isAdmitted: till.gate.isPeer, audio, publicUrl },
    })
  }

  return {
    ...{ gate: till.gate, routes, purchases, status, fetchMissing, loadTrack: sold.load, paidBlocks },
    priceOf: (subject) => view.termsOf(subjectToBytes32(subject))?.unitPrice,
    blocks: {
      async get(cid, { signal } = {}) {
        try {
          return await ipfs.get(cid, { signal })
        } catch (error) {
          if (!(error instanceof BlockNotFound)) throw error
          const patience = AbortSignal.timeout(fetchMs)
          return fetchMissing(cid, signal ? AbortSignal.any([signal, patience]) : patience)
        }
      },
    },
    async close() {
      freeElsewhere.close()
      await paidBlocks.close()
      await chain.close()
      await till.close()
    },
  }
}

function owedIn(till: Pick<Till, 'channels'>): { owed: string; credit: string } {
  let [owed, credit] = [0n, 0n]
  for (const { base, last, frozen, credits } of till.channels()) {
    owed += (last?.cumulative ?? base) - (frozen[0]?.base ?? base)
    for (const amount of credits.values()) credit += amount
  }
  return { owed: owed.toString(), credit: credit.toString() }
}

/** The figures of `/status` for Prometheus, read when it asks. */
function exposeTill(metrics: Metrics, status: () => TillStatus): void {
  const amounts = metrics.gauge({
    name: 'till_amount',
    help: 'Base units of the payment token that are owed, paid and not spent, and were redeemed',
    labelNames: ['what'],
    collect() {
      const { owed, credit, redeemed } = status()
      for (const [what, amount] of Object.entries({ owed, credit, redeemed })) {
        amounts.set({ what }, Number(amount))
      }
    },
  })
  const wei = metrics.gauge({
    name: 'till_wei',
    help: 'What the hot key has for gas, and what was spent of it',
    labelNames: ['what'],
    collect() {
      const { hotKeyWei, gasSpentWei } = status()
      wei.set({ what: 'spent' }, Number(gasSpentWei))
      if (hotKeyWei !== null) wei.set({ what: 'left' }, Number(hotKeyWei))
    },
  })
}
