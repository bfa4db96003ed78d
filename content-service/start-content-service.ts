import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { createChainReader } from '@hexachord/platform/chain'
import { createGuardedFetch, listen } from '@hexachord/platform/http'
import { createMetrics, readKeyFile, type ServiceContext, serveMetrics } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { parseAddress } from '@hexachord/protocol/names'
import { catalogueMigrations, followCatalogue } from '@hexachord/storage/catalogue'
import { createEmbeddedIpfs, ipfsMigrations } from '@hexachord/storage/ipfs'
import { nodeReadiness } from '@hexachord/storage/node'
import { createNodeClient, peerAddresses } from '@hexachord/storage/peers'
import { Wallet } from 'ethers'
import { readConfig } from './config.ts'
import { createContentApp } from './content-app.ts'
import { createContentMetrics, exposeStatus } from './content-metrics.ts'
import {
  createHoldingStore,
  createKeeper,
  defaultLeaseGraceMs,
  type Holding,
  holdingMigrations,
  type KeeperTimes,
} from './duty/index.ts'
import { createOfferChanges, createOfferStore, createRoom, offerMigrations } from './offers/index.ts'
import manifest from './package.json' with { type: 'json' }
import { createPuller } from './pulling/index.ts'
import { createIssueReceipt, createReceiptStore, receiptMigrations } from './receipts/index.ts'
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
  pacing: { times?: KeeperTimes; scrub?: ScrubPace; pollMs?: number } = {},
) {
  const config = readConfig(env)
  const network = await readNetworkFile(config.networkFile)
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
      ...scrubMigrations,
    ],
  })
  lifecycle.onClose('database', () => database.close())

  const reader = createChainReader({ rpcUrl: config.rpcUrl, signal: lifecycle.signal })
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
  const peers = peerAddresses({ catalogue, fetch, self, allowPrivateAddresses, logger })
  lifecycle.onClose('peers', peers.close)

  const ipfs = await createEmbeddedIpfs({
    directory,
    database,
    listen: config.libp2pListen,
    announce: config.libp2pAnnounce,
    allowPeer: peers.allowPeer,
    peers: peers.peers,
    logger,
  })
  lifecycle.onClose('ipfs', () => ipfs.close())

  const offers = createOfferStore(database)
  const receipts = createReceiptStore(database)
  const holdings = createHoldingStore(database)
  const scrubs = createScrubStore(database)
  const { capacityBytes, diskFloorBytes } = config
  const room = createRoom({ directory, capacityBytes, diskFloorBytes, ipfs, offers })
  const issueReceipt = createIssueReceipt({ hotKey, domain, operator: self, head: catalogue.indexed, now })
  const held = {
    database,
    catalogue,
    ipfs,
    fetch,
    offers,
    receipts,
    holdings,
    room,
    issueReceipt,
    self,
    now,
    logger,
  }

  const counted = createContentMetrics(metrics)
  const keeper = createKeeper({
    ...held,
    ...(pacing.times === undefined ? {} : { times: pacing.times }),
    onRepair: counted.repairEnded,
    signal: lifecycle.signal,
  })
  lifecycle.onClose('keeper', keeper.close)
  const damageFoundBy =
    (finder: 'scrub' | 'reader') =>
    ({ subject }: Holding) => {
      counted.trackDamaged(finder)
      keeper.recheck(subject)
    }
  const scrubber = createScrubber({
    ...held,
    store: scrubs,
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
  const leaseGraceMs = pacing.times?.leaseGraceMs ?? defaultLeaseGraceMs
  const puller = createPuller({
    ...held,
    client,
    changes,
    leaseGraceMs,
    onEnded: counted.offerEnded,
    onHeld: ({ subject }) => keeper.recheck(subject),
  })
  lifecycle.onClose('puller', puller.close)

  const hotAddress = parseAddress(hotKey.address)
  const { publicUrl } = config
  const status = () =>
    contentStatus({
      version: manifest.version,
      operator: self,
      hotKey: hotAddress,
      publicUrl,
      capacityBytes,
      ...{ catalogue, ipfs, holdings, offers, room, scrubs },
    })
  exposeStatus(metrics, status)
  const app = createContentApp({
    ...{ self, hotKey: hotAddress, publicUrl, capacityBytes, cacheBytes: config.cacheBytes },
    ...{ catalogue, reads, offers, changes, receipts, holdings, room, puller, metrics, logger, now, status },
    checks: nodeReadiness({ directory, database, reader, catalogue }),
    onRefused: counted.offerRefused,
    signal: lifecycle.signal,
  })
  const server = await listen(app, { host: config.host, port: config.port })
  lifecycle.onClose('http', server.close)
  return { origin: server.origin, metricsPort: metricsServer.port, operator: self, peerId: ipfs.peerId }
}
