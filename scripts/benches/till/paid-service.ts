import path from 'node:path'
import { createApp, finishApp, listen, quickFirst } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { createGateway } from '@hexachord/storage/gateway'
import { createEmbeddedIpfs } from '@hexachord/storage/ipfs'
import { createTill } from '@hexachord/storage/till'
import { loadLocalTrack } from '@hexachord/storage/tracks'
import { node, origin, paidNetwork, subject, unitPrice } from './terms.ts'

/**
 * Serves a track for payment as a content service does, but without a chain: what that would say of terms and reserves
 * is said here, and as large as anybody needs.
 */
const [, , folder = '', manifest = '', port = ''] = process.argv
const logger = createLogger({ service: 'bench', level: 'warn' })
const metrics = createMetrics('bench')
const ipfs = await createEmbeddedIpfs({ directory: path.join(folder, 'data'), logger, bitswap: false })
const loaded = await loadLocalTrack(ipfs, manifest)
const reserve = { reserved: 10n ** 12n, released: 0n, releasing: 0n, settled: 0n }
const till = await createTill({
  ...{ directory: path.join(folder, 'till'), network: paidNetwork, node, publicUrl: origin, logger, metrics },
  ...{ leastNodeBps: 0, previewUnits: 0, now: Date.now },
  view: {
    termsOf: () => ({ unitPrice, nodeBps: 1_500, curatorBps: 0, version: 1 }),
    channel: () => reserve,
    finalChannel: () => reserve,
    onChange: () => () => undefined,
  },
  loadTrack: async () => loaded,
  liveManifestOf: () => manifest,
})
till.paidBlocks.add(subject, loaded)
const gateway = createGateway({ ipfs, cacheBytes: 128 * 1024 ** 2, gate: till.gate })
const app = createApp({ logger, metrics, service: 'bench', routine: ['/ipfs/', '/pay/'] })
app.use(till.routes)
app.use(gateway.routes)
await listen(quickFirst(gateway.quick, finishApp(app)), { host: '127.0.0.1', port: Number(port) })
