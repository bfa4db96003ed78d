import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { createChainReader } from '@hexachord/platform/chain'
import { createGuardedFetch, listen } from '@hexachord/platform/http'
import { createMetrics, readKeyFile, type ServiceContext, serveMetrics } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { parseAddress } from '@hexachord/protocol/names'
import { archiveMigrations, keepArchives } from '@hexachord/storage/archives'
import { catalogueMigrations, followCatalogue } from '@hexachord/storage/catalogue'
import { ipfsMigrations, openIpfs } from '@hexachord/storage/ipfs'
import { nodeReadiness, tillTermsOn } from '@hexachord/storage/node'
import { createNodeClient, createPeerFetch, peerAddresses } from '@hexachord/storage/peers'
import { openPremium, premiumMigrations } from '@hexachord/storage/premium'
import { openTakedowns, type Takedowns, takedownMigrations } from '@hexachord/storage/takedowns'
import { type NodeTill, openNodeTill } from '@hexachord/storage/till'
import { createRootHasher } from '@hexachord/storage/tracks'
import { Wallet } from 'ethers'
import { readConfig } from './config.ts'
import { createContentApp } from './content-app.ts'
import { createContentMetrics, exposeStatus } from './content-metrics.ts'
import {
  copyMigrations,
  createCopyStore,
  createKnownCopies,
  createOwnListings,
  createReconciler,
  defaultReconcileMs,
} from './copies/index.ts'
import {
  createHoldingStore,
  createKeeper,
  defaultRepairLeaseMs,
  type Holding,
  holdingMigrations,
  type KeeperTimes,
} from './duty/index.ts'
import { createOfferChanges, createOfferStore, createRoom, offerMigrations } from './offers/index.ts'
import manifest from './package.json' with { type: 'json' }
import { createPuller } from './pulling/index.ts'
import {
  createIssueReceipt,
  createReceiptStore,
  createRenewReceipt,
  createSignAgain,
  receiptMigrations,
} from './receipts/index.ts'
import {
  createScrubber,
  createScrubStore,
  type ScrubPace,
  scrubMigrations,
  watchReads,
} from './scrubbing/index.ts'
import { serviceName } from './service-name.ts'
import { contentStatus } from './status.ts'

/**
 * Opens everything a content service is made of and hands each part to the lifecycle, which closes them in the
 * opposite order. Needs nobody else to be up: it waits for the chain and serves what it has.
 * @param pacing how long things are kept and how fast they are read again, for tests
 */
export async function startContentService(
  { lifecycle, env, logger }: ServiceContext,
  pacing: { times?: KeeperTimes; scrub?: ScrubPace; pollMs?: number; reconcileMs?: number } = {},
) {
  const config = readConfig(env)
  const network = await readNetworkFile(config.networkFile)
  const tillTerms = tillTermsOn(network, config.till)
  const hotKey = new Wallet(
    await readKeyFile(config.hotKeyFile, {
      variable: 'HOT_KEY_FILE',
      passwordFile: config.hotKeyPasswordFile,
    }),
  )
  const self = config.operator
  const now = Date.now
  const directory = config.dataDirectory
  await mkdir(directory, { recursive: true })

  const metrics = createMetrics(serviceName)
  const metricsServer = await serveMetrics(metrics, { port: config.metricsPort })
  lifecycle.onClose('metrics', metricsServer.close)

  const database = openSqlite(join(directory, `${serviceName}.sqlite`), {
    migrations: [
      ...ipfsMigrations,
      ...catalogueMigrations,
      ...offerMigrations,
      ...receiptMigrations,
      ...holdingMigrations,
      ...copyMigrations,
      ...scrubMigrations,
      ...archiveMigrations,
      ...takedownMigrations,
      ...premiumMigrations,
    ],
  })
  lifecycle.onClose('database', () => database.close())

  const reader = createChainReader({
    ...{ rpcUrls: config.rpcUrls, signal: lifecycle.signal, logger, metrics },
  })
  lifecycle.onClose('chain', reader.close)
  const catalogue = followCatalogue({
    database,
    reader,
    network,
    signal: lifecycle.signal,
    logger,
    pollMs: pacing.pollMs,
  })
  lifecycle.onClose('catalogue', catalogue.close)

  const { allowPrivateAddresses } = config
  const fetch = createGuardedFetch({ allowPrivateAddresses })
  lifecycle.onClose('fetch', fetch.close)
  const { domain } = catalogue.rules
  const client = createNodeClient({ hotKey, domain, fetch, now })
  const peerFetch = createPeerFetch({ hotKey, domain, fetch, now })
  const peers = peerAddresses({ catalogue, fetch, self, allowPrivateAddresses, logger })
  lifecycle.onClose('peers', peers.close)

  let refused: Takedowns | undefined
  let paidBlocks: NodeTill['paidBlocks'] | undefined
  const ipfs = await openIpfs(config.ipfs, {
    ...{ directory, database, logger, signal: lifecycle.signal },
    ...{ allowPeer: peers.allowPeer, peers: peers.peers },
    isDenied: (cid) => refused?.isDenied(cid) ?? false,
  })
  lifecycle.onClose('ipfs', () => ipfs.close())

  const holdings = createHoldingStore(database)
  const { takedowns, denylist } = await openTakedowns({
    ...{ catalogue, database, ipfs, operator: self, now, logger },
    ...config.takedowns,
    manifestsOf: (track) => holdings.ofSubject(track).map(({ manifest }) => manifest),
    tracksOf: (manifest) => holdings.ofManifest(manifest).map(({ subject }) => subject),
  })
  refused = takedowns
  lifecycle.onClose('takedowns', takedowns.close)

  const archives = keepArchives({
    ...{ database, reader, catalogue, network, ipfs, fetch: peerFetch, self, logger },
    signal: lifecycle.signal,
    pollMs: pacing.pollMs,
  })
  lifecycle.onClose('archives', archives.close)

  const offers = createOfferStore(database)
  const receipts = createReceiptStore(database)
  const scrubs = createScrubStore(database)
  const { capacityBytes, diskFloorBytes } = config
  const room = createRoom({ directory, capacityBytes, diskFloorBytes, ipfs, offers })
  const signing = { hotKey, domain, operator: self, head: catalogue.indexed, now }
  const issueReceipt = createIssueReceipt(signing)
  const copies = createCopyStore(database)
  const reconcileMs = pacing.reconcileMs ?? defaultReconcileMs
  const reconciler = createReconciler({
    ...{ catalogue, client, copies, self, logger, now, everyMs: reconcileMs },
    onCopies: (subjects) => keeper.reconsider(subjects),
    onAway: () => keeper.reconsiderAll(),
  })
  const roots = createRootHasher()
  lifecycle.onClose('roots', roots.close)
  const held = {
    database,
    catalogue,
    ipfs,
    fetch: peerFetch,
    rootOf: roots.rootOf,
    offers,
    receipts,
    holdings,
    archives,
    takedowns,
    room,
    issueReceipt,
    client,
    copiesOf: createKnownCopies({ catalogue, copies, reconciler, self, settleMs: 2 * reconcileMs }),
    self,
    now,
    logger,
  }

  const counted = createContentMetrics(metrics)
  const keeper = createKeeper({
    ...held,
    ...(pacing.times === undefined ? {} : { times: pacing.times }),
    rebalanceBytesPerSecond: config.rebalanceBytesPerSecond,
    onRepair: counted.repairEnded,
    onTrack: (track) => paidBlocks?.expect(track),
    signal: lifecycle.signal,
  })
  lifecycle.onClose('keeper', keeper.close)
  lifecycle.onClose('reconciler', reconciler.close)
  const damageFoundBy =
    (finder: 'scrub' | 'reader') =>
    ({ subject }: Holding) => {
      counted.trackDamaged(finder)
      keeper.recheck(subject)
    }
  const hotAddress = parseAddress(hotKey.address)
  const renewReceipt = createRenewReceipt({
    ...{ receipts, signAgain: createSignAgain(signing), domain, hotKey: hotAddress, now },
    isHeld: (subject, manifest) => holdings.get(subject, manifest)?.state === 'held',
  })
  const scrubber = createScrubber({
    ...held,
    store: scrubs,
    async onWhole({ subject, manifest }) {
      if (await renewReceipt(subject, manifest)) logger.info({ subject, manifest }, 'receipt renewed')
    },
    onDamage: damageFoundBy('scrub'),
    pace: {
      ...pacing.scrub,
      ...(config.scrubBytesPerSecond === undefined ? {} : { bytesPerSecond: config.scrubBytesPerSecond }),
    },
  })
  lifecycle.onClose('scrubber', scrubber.close)
  const reads = watchReads({ ...held, onDamage: damageFoundBy('reader') })
  lifecycle.onClose('reads', reads.close)
  const changes = createOfferChanges()
  const protectMs = pacing.times?.repairLeaseMs ?? defaultRepairLeaseMs
  const { publicUrl, rpcUrls } = config
  const till = await openNodeTill({
    ...{ directory, network, reader, rpcUrls, hotKey, operator: self, publicUrl, catalogue, takedowns },
    ipfs: { get: reads.get, has: ipfs.has },
    ...{ terms: tillTerms, fetch, peerFetch, metrics, logger, now },
    ...{ signal: lifecycle.signal, pollMs: pacing.pollMs },
  })
  paidBlocks = till?.paidBlocks
  if (till !== undefined) lifecycle.onClose('till', till.close)
  // After the till, which must know what costs something before it is here.
  const puller = createPuller({
    ...held,
    changes,
    protectMs,
    onEnded: counted.offerEnded,
    onTrack: (track) => till?.paidBlocks.expect(track),
    onHeld: ({ subject }) => keeper.recheck(subject),
  })
  lifecycle.onClose('puller', puller.close)
  const premium =
    till &&
    openPremium({
      ...{ database, reader, catalogue, till, ipfs, client, peerFetch, hotKey, self, publicUrl, logger, now },
    })
  const status = () =>
    contentStatus({
      version: manifest.version,
      operator: self,
      hotKey: hotAddress,
      publicUrl,
      capacityBytes,
      ...{ catalogue, ipfs, takedowns, till, holdings, offers, room, scrubs, reconciler },
    })
  exposeStatus(metrics, status)
  const app = createContentApp({
    ...{ self, hotKey: hotAddress, publicUrl, capacityBytes, cacheBytes: config.cacheBytes },
    ...{
      catalogue,
      reads,
      archives,
      takedowns,
      till,
      premium,
      denylist,
      offers,
      changes,
      receipts,
      holdings,
      room,
      puller,
    },
    ...{ metrics, logger, now, status },
    checks: nodeReadiness({ directory, database, reader, catalogue, ipfs }),
    onRefused(reason) {
      counted.offerRefused(reason)
      if (reason === 'no-room') keeper.press()
    },
    hotSigner: hotKey,
    listings: createOwnListings({ holdings, catalogue, now, listingMs: pacing.reconcileMs }),
    isBringing: keeper.isBringing,
    signal: lifecycle.signal,
  })
  const server = await listen(app, { host: config.host, port: config.port })
  lifecycle.onClose('http', server.close)
  return { origin: server.origin, metricsPort: metricsServer.port, operator: self, peerId: ipfs.peerId }
}
