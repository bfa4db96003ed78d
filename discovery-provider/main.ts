import { readNetworkFile } from '@hexachord/contracts/networks'
import { createChainReader } from '@hexachord/platform/chain'
import { createGuardedFetch, listen } from '@hexachord/platform/http'
import { migrate, openPostgres } from '@hexachord/platform/postgres'
import { createMetrics, runService, type ServiceContext, serveMetrics } from '@hexachord/platform/process'
import { rulesOf } from '@hexachord/protocol/catalogue'
import { openKeyFile } from './app-passwords/index.ts'
import { startFromArchives } from './archives/index.ts'
import { createDailyChecks } from './checking/index.ts'
import { readConfig } from './config.ts'
import { createIndexMetrics, startCatalogueWriter } from './indexing/index.ts'
import { keepFingerprints } from './likeness/index.ts'
import { keepManifests } from './manifests/index.ts'
import manifest from './package.json' with { type: 'json' }
import { createPaymentFollower } from './payments/index.ts'
import { watchPeers } from './peers/index.ts'
import { keepRanked } from './ranking/index.ts'
import { createApi, watchChainHead } from './reading/index.ts'

const name = 'discovery-provider'

async function start({ lifecycle, env, logger }: ServiceContext) {
  const config = readConfig(env)
  const networkFile = await readNetworkFile(config.networkFile)
  const rules = rulesOf(networkFile)
  const keyOf = (file: string | undefined, variable: string) =>
    file === undefined ? undefined : openKeyFile(file, variable)
  const appPasswordKey = await keyOf(config.appPasswordKeyFile, 'APP_PASSWORD_KEY_FILE')
  const writingKey = await keyOf(config.writingKeyFile, 'WRITING_KEY_FILE')
  const { chainId, firstBlock } = networkFile
  const network = { chainId, firstBlock, catalog: rules.catalog }

  const metrics = createMetrics(name)
  const metricsServer = await serveMetrics(metrics, { port: config.metricsPort })
  lifecycle.onClose('metrics', metricsServer.close)

  await migrate({ url: config.databaseUrl, directory: `${import.meta.dirname}/migrations`, logger })
  const postgres = openPostgres({ url: config.databaseUrl, logger, applicationName: name })
  lifecycle.onClose('database', postgres.close)

  const reader = createChainReader({
    ...{ rpcUrls: config.rpcUrls, signal: lifecycle.signal, logger, metrics },
  })
  lifecycle.onClose('chain', reader.close)

  const fetch = createGuardedFetch({ allowPrivateAddresses: config.allowPrivateAddresses })
  lifecycle.onClose('fetch', fetch.close)

  const checks = createDailyChecks({ postgres, rules, metrics, logger, now: Date.now, random: Math.random })
  process.on('SIGUSR2', checks.startNow)

  const payments = createPaymentFollower({ postgres, reader, network: networkFile, metrics, logger })

  const writer = startCatalogueWriter({
    postgres,
    reader,
    network,
    rules,
    honoured: config.honoured,
    metrics: createIndexMetrics(metrics, Date.now),
    logger,
    prepare: (index, signal) =>
      startFromArchives({ policy: config.archives, index, reader, rules, network, fetch, logger, signal }),
    meanwhile: async (signal) => {
      await Promise.all([checks.run(signal), payments.follow(signal)])
    },
    signal: lifecycle.signal,
  })
  lifecycle.onClose('indexing', writer.close)
  // Unheard on purpose: an index that cannot go on ends the process, as an unhandled rejection, with its reason.
  void writer.finished

  const peers = watchPeers({
    origins: config.peerProviders,
    postgres,
    network,
    fetch,
    metrics,
    logger,
    now: Date.now,
    signal: lifecycle.signal,
  })
  lifecycle.onClose('peers', peers.close)
  const mayWrite = () => writer.role === 'writer' && !writer.isCatchingUp
  const ranked = keepRanked({ postgres, mayWrite, now: Date.now, logger, signal: lifecycle.signal })
  lifecycle.onClose('ranking', ranked.close)
  const fingerprints = keepFingerprints({
    postgres,
    fetch,
    mayWrite,
    now: Date.now,
    logger,
    signal: lifecycle.signal,
  })
  lifecycle.onClose('fingerprints', fingerprints.close)

  const manifests = keepManifests({
    ...{ postgres, fetch, mayWrite, now: Date.now, logger, signal: lifecycle.signal },
  })
  lifecycle.onClose('manifests', manifests.close)

  const api = createApi({
    postgres,
    head: watchChainHead(reader, Date.now),
    fetch,
    network,
    process: () => ({
      ...{ version: manifest.version, role: writer.role, peers: [...peers.peers] },
      payments: networkFile.payments ?? null,
    }),
    publicUrl: config.publicUrl,
    logger,
    metrics,
    appPasswordKey,
    requestsPerSecond: config.requestsPerSecond,
    writingKey,
    now: Date.now,
    signal: lifecycle.signal,
  })
  const server = await listen(api, { host: config.host, port: config.port })
  lifecycle.onClose('api', server.close)
  return { origin: server.origin, metricsPort: metricsServer.port, network: networkFile.name }
}

await runService(name, start)
