import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { createChainReader, createSender } from '@hexachord/platform/chain'
import { createGuardedFetch, listen } from '@hexachord/platform/http'
import { createMetrics, readKeyFile, type ServiceContext, serveMetrics } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { parseAddress } from '@hexachord/protocol/names'
import { openSecret } from '@hexachord/protocol/premium'
import { keepArchives } from '@hexachord/storage/archives'
import { followCatalogue } from '@hexachord/storage/catalogue'
import { openIpfs } from '@hexachord/storage/ipfs'
import { nodeReadiness, tillTermsOn } from '@hexachord/storage/node'
import { createNodeClient, createPeerFetch, peerAddresses } from '@hexachord/storage/peers'
import { openPremium } from '@hexachord/storage/premium'
import { openTakedowns, type Takedowns } from '@hexachord/storage/takedowns'
import { openNodeTill } from '@hexachord/storage/till'
import { Wallet } from 'ethers'
import { createBudgets, createInvites, createPublisherGate } from './admission/index.ts'
import { checkPrograms } from './check-programs.ts'
import { type Config, readConfig } from './config.ts'
import { createCreatorApp } from './creator-app.ts'
import { createHousekeeper } from './housekeeping/index.ts'
import { createCpuSlots, startJobs } from './jobs/index.ts'
import { lastResort } from './last-resort.ts'
import { creatorMigrations } from './migrations.ts'
import { createOfferClient, reopenUploads, replicateUpload } from './offering/index.ts'
import manifest from './package.json' with { type: 'json' }
import { catalogInterface, createHeldActions, createReleaser } from './publishing/index.ts'
import { serviceName } from './service-name.ts'
import { creatorStatus, exposeStatus } from './status.ts'
import { createFfmpeg } from './transcoding/index.ts'
import {
  cancelUpload,
  createUploadChanges,
  createUploadStore,
  finishReceiving,
  freeBytes,
  leastSpentBytes,
  type OpenSecret,
  openSourceFiles,
  spentBytes,
} from './uploads/index.ts'

/**
 * Opens everything a creator node is made of and hands each part to the lifecycle, which closes them in the opposite
 * order. Needs nobody else to be up: uploads are taken without the chain and without Redis, and worked on once these
 * are there.
 * @param pacing how often the chain is asked, for tests
 */
export async function startCreatorNode(
  { lifecycle, env, logger }: ServiceContext,
  pacing: { pollMs?: number } = {},
) {
  const config = readConfig(env)
  const network = await readNetworkFile(config.networkFile)
  const tillTerms = tillTermsOn(network, config.till)
  const { hotKey, relayerKey } = await readKeys(config)
  const ffmpeg = createFfmpeg({ path: config.ffmpegPath, memoryBytes: config.ffmpegMemoryBytes })
  await checkPrograms({ ffmpeg, ffprobePath: config.ffprobePath, signal: lifecycle.signal })
  const now = Date.now
  const { publicUrl, operator: self, dataDirectory: directory } = config
  await mkdir(directory, { recursive: true })

  const metrics = createMetrics(serviceName)
  const metricsServer = await serveMetrics(metrics, { port: config.metricsPort })
  lifecycle.onClose('metrics', metricsServer.close)

  const database = openSqlite(join(directory, `${serviceName}.sqlite`), {
    migrations: creatorMigrations,
  })
  lifecycle.onClose('database', () => database.close())

  const { signal } = lifecycle
  const { rpcUrls } = config
  const reader = createChainReader({ rpcUrls, signal, logger, metrics })
  lifecycle.onClose('chain', reader.close)
  const catalogue = followCatalogue({ database, reader, network, signal, logger, pollMs: pacing.pollMs })
  lifecycle.onClose('catalogue', catalogue.close)
  const { domain } = catalogue.rules
  const sender = createSender({
    ...{ database, rpcUrls, logger, signal, privateKey: relayerKey },
    ...{ chainId: network.chainId, finalityBlocks: network.finalityBlocks, interfaces: [catalogInterface] },
    ...(pacing.pollMs === undefined ? {} : { pollMs: pacing.pollMs }),
  })
  lifecycle.onClose('sender', sender.close)

  const { allowPrivateAddresses } = config
  const fetch = createGuardedFetch({ allowPrivateAddresses })
  lifecycle.onClose('fetch', fetch.close)
  const client = createNodeClient({ hotKey, domain, fetch, now })
  const peerFetch = createPeerFetch({ hotKey, domain, fetch, now })
  const peers = peerAddresses({ catalogue, fetch, self, allowPrivateAddresses, logger })
  lifecycle.onClose('peers', peers.close)
  let refused: Takedowns | undefined
  const ipfs = await openIpfs(config.ipfs, {
    ...{ directory, database, logger, signal },
    ...{ allowPeer: peers.allowPeer, peers: peers.peers },
    isDenied: (cid) => refused?.isDenied(cid) ?? false,
  })
  lifecycle.onClose('ipfs', () => ipfs.close())

  const archives = keepArchives({
    ...{ database, reader, catalogue, network, ipfs, fetch: peerFetch, self, logger, signal },
    pollMs: pacing.pollMs,
  })
  lifecycle.onClose('archives', archives.close)

  const uploads = createUploadStore(database, now)
  lifecycle.onClose('uploads', () => uploads.close())
  const { takedowns, denylist } = await openTakedowns({
    ...{ catalogue, database, ipfs, operator: self, now, logger },
    ...config.takedowns,
    manifestsOf: (subject) =>
      uploads
        .bySubject(subject)
        .flatMap(({ track, playable }) => [track?.manifest, playable].filter((cid) => cid !== undefined)),
    tracksOf: (manifest) => uploads.byManifest(manifest).map(({ subject }) => subject),
  })
  refused = takedowns
  lifecycle.onClose('takedowns', takedowns.close)
  const changes = createUploadChanges(uploads)
  lifecycle.onClose('changes', changes.close)
  const sourceDirectory = join(directory, 'sources')
  const files = await openSourceFiles(sourceDirectory, uploads)
  const workDirectory = join(directory, 'work')
  await rm(workDirectory, { recursive: true, force: true })
  const budgets = createBudgets({ database, allowances: config.allowances, now })
  const invites = createInvites({ database, now })
  const gate = createPublisherGate(config.publishers, invites)
  const slots = createCpuSlots(config.transcodingCores)
  const offers = createOfferClient(client)
  const openSealed: OpenSecret = (sealed, subject) =>
    openSecret(sealed, { subject, privateKey: hotKey.privateKey })
  // Before the jobs, which tell it of what costs something before it is here.
  const till = await openNodeTill({
    ...{ directory, network, reader, rpcUrls, hotKey, operator: self, publicUrl, catalogue, ipfs, takedowns },
    ...{ terms: tillTerms, fetch, peerFetch, metrics, logger, signal, now, pollMs: pacing.pollMs },
  })
  if (till !== undefined) lifecycle.onClose('till', till.close)
  const jobs = startJobs({
    ...{ redisUrl: config.redisUrl, operator: self, uploads, logger },
    work: {
      uploads,
      files,
      ipfs,
      ffmpeg,
      openSecret: openSealed,
      ffprobePath: config.ffprobePath,
      slots,
      workDirectory,
      logger,
      now,
      onTrack: (track) => till?.paidBlocks.expect(track),
      onReused(id) {
        const upload = uploads.get(id)
        if (upload === undefined) return
        const unused = spentBytes(upload.byteLength) - leastSpentBytes
        budgets.giveBack(upload.account, { bytes: unused }, upload.createdAtMs)
      },
    },
    replicateUpload: (id, signal) =>
      replicateUpload(
        id,
        { uploads, changes, catalogue, takedowns, client: offers, hotKey, domain, self, publicUrl, now },
        signal,
      ),
  })
  lifecycle.onClose('jobs', jobs.close)

  lifecycle.onClose('reopening', reopenUploads({ uploads, catalogue, replicate: jobs.replicate, now }))

  const held = createHeldActions(database)
  const holding = { database, held, uploads, catalogue, reader, sender, gate, budgets, now }
  const releaser = createReleaser({ ...holding, logger })
  lifecycle.onClose('releaser', releaser.close)

  const receiving = {
    uploads,
    files,
    now,
    onArriving: jobs.anticipate,
    onArrived: jobs.prepare,
    onReceived: jobs.process,
  }
  const housekeeper = createHousekeeper({
    ...{ uploads, files, sourceDirectory, ipfs, catalogue, takedowns, logger, now },
    finish: (id) => finishReceiving(id, receiving),
    cancel: (upload) => cancelUpload(upload, { uploads, files, budgets, now }),
    isWorkedOn: jobs.isWorkingOn,
  })
  lifecycle.onClose('housekeeper', housekeeper.close)

  const premium =
    till &&
    openPremium({
      ...{ database, reader, catalogue, till, ipfs, client, peerFetch, hotKey, self, publicUrl, logger, now },
    })

  const room = () =>
    freeBytes({ directory, floorBytes: config.diskFloorBytes, promisedBytes: uploads.outstandingBytes })
  const hotAddress = parseAddress(hotKey.address)
  const parts = {
    ...{ version: manifest.version, operator: self, hotKey: hotAddress, publicUrl },
    ...{ discoveryUrls: config.discoveryUrls, freeBytes: room },
    ...{ catalogue, ipfs, takedowns, till, uploads, jobs, slots, sender, budgets, logger, gate, held },
    limits: config.limits,
  }
  exposeStatus(metrics, parts)
  const app = createCreatorApp({
    ...{ ...parts, ...receiving, reader, database, changes, archives, metrics, signal },
    onHeld: releaser.wake,
    ...{ denylist, invites, premium, openSecret: openSealed, replicate: jobs.replicate, ahead: jobs.ahead },
    ...{ cacheBytes: config.cacheBytes },
    fetchMissing: lastResort({ catalogue, fetch, fetchPaid: till?.fetchMissing }),
    checks: { ...nodeReadiness({ directory, database, reader, catalogue, ipfs }), redis: () => jobs.ping() },
    status: () => creatorStatus(parts),
  })
  const server = await listen(app, { host: config.host, port: config.port })
  lifecycle.onClose('http', server.close)
  return { origin: server.origin, metricsPort: metricsServer.port, operator: self, peerId: ipfs.peerId }
}

async function readKeys(config: Config) {
  const [hotKey, relayerKey] = await Promise.all([
    readKeyFile(config.hotKeyFile, { variable: 'HOT_KEY_FILE', passwordFile: config.hotKeyPasswordFile }),
    readKeyFile(config.relayerKeyFile, {
      variable: 'RELAYER_KEY_FILE',
      passwordFile: config.relayerKeyPasswordFile,
    }),
  ])
  return { hotKey: new Wallet(hotKey), relayerKey }
}
