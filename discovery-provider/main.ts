import { readNetworkFile } from '@hexachord/contracts/networks'
import { createChainReader } from '@hexachord/platform/chain'
import { createGuardedFetch, listen } from '@hexachord/platform/http'
import { migrate, openPostgres } from '@hexachord/platform/postgres'
import { createMetrics, runService, type ServiceContext, serveMetrics } from '@hexachord/platform/process'
import { rulesOf } from '@hexachord/protocol/catalogue'
import { startFromArchives } from './archives/index.ts'
import { readConfig } from './config.ts'
import { createIndexMetrics, startCatalogueWriter } from './indexing/index.ts'
import manifest from './package.json' with { type: 'json' }
import { createApi, watchChainHead } from './reading/index.ts'

const name = 'discovery-provider'

async function start({ lifecycle, env, logger }: ServiceContext) {
  const config = readConfig(env)
  const networkFile = await readNetworkFile(config.networkFile)
  const rules = rulesOf(networkFile)
  const { chainId, firstBlock } = networkFile
  const network = { chainId, firstBlock, catalog: rules.catalog }

  const metrics = createMetrics(name)
  const metricsServer = await serveMetrics(metrics, { port: config.metricsPort })
  lifecycle.onClose('metrics', metricsServer.close)

  await migrate({ url: config.databaseUrl, directory: `${import.meta.dirname}/migrations`, logger })
  const postgres = openPostgres({ url: config.databaseUrl, logger, applicationName: name })
  lifecycle.onClose('database', postgres.close)

  const reader = createChainReader({ rpcUrl: config.rpcUrl, signal: lifecycle.signal })
  lifecycle.onClose('chain', reader.close)

  const fetch = createGuardedFetch({ allowPrivateAddresses: config.allowPrivateAddresses })
  lifecycle.onClose('fetch', fetch.close)

  const writer = startCatalogueWriter({
    postgres,
    reader,
    network,
    rules,
    metrics: createIndexMetrics(metrics, Date.now),
    logger,
    prepare: (index, signal) =>
      startFromArchives({ policy: config.archives, index, reader, rules, network, fetch, logger, signal }),
    signal: lifecycle.signal,
  })
  lifecycle.onClose('indexing', writer.close)
  // Unheard on purpose: an index that cannot go on ends the process, as an unhandled rejection, with its reason.
  void writer.finished

  const api = createApi({
    postgres,
    head: watchChainHead(reader, Date.now),
    fetch,
    network,
    process: () => ({ version: manifest.version, role: writer.role }),
    publicUrl: config.publicUrl,
    logger,
    metrics,
    now: Date.now,
  })
  const server = await listen(api, { host: config.host, port: config.port })
  lifecycle.onClose('api', server.close)
  return { origin: server.origin, metricsPort: metricsServer.port, network: networkFile.name }
}

await runService(name, start)
