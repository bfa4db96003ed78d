import type { RequestListener } from 'node:http'
import { createApp, finishApp, type HealthCheck, healthRoutes, quickFirst } from '@hexachord/platform/http'
import type { Logger, Metrics } from '@hexachord/platform/process'
import type { Address } from '@hexachord/protocol/names'
import type { HeldTrack } from '@hexachord/protocol/receipts'
import type { Signer } from '@hexachord/protocol/signing'
import { type ArchiveKeeper, archiveRoutes } from '@hexachord/storage/archives'
import { audioRoutes } from '@hexachord/storage/audio'
import { type Catalogue, liveTrack } from '@hexachord/storage/catalogue'
import { createGateway } from '@hexachord/storage/gateway'
import { hlsRoutes } from '@hexachord/storage/hls'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import { originalRoutes } from '@hexachord/storage/originals'
import type { NodePremium } from '@hexachord/storage/premium'
import { denylistRoutes, type OwnDenylist, type Takedowns } from '@hexachord/storage/takedowns'
import type { NodeTill } from '@hexachord/storage/till'
import { otherHolders, receiptRoutes, replicationNow } from '@hexachord/storage/tracks'
import { holdingRoutes, type OwnListings } from './copies/index.ts'
import type { HoldingStore } from './duty/index.ts'
import { type OfferChanges, type OfferStore, offerRoutes, type Room } from './offers/index.ts'
import { proofRoutes } from './proofs/index.ts'
import type { Puller } from './pulling/index.ts'
import type { ReceiptStore } from './receipts/index.ts'
import { serviceName } from './service-name.ts'
import type { ContentStatus } from './status.ts'

export type ContentAppOptions = {
  self: Address
  hotKey: Address
  /** Origin of this node as others see it. */
  publicUrl: string
  capacityBytes: number
  /** Memory for hot blocks. */
  cacheBytes: number
  catalogue: Catalogue
  reads: Pick<IpfsNode, 'get' | 'size'>
  /** Signs proofs of what is held. */
  hotSigner: Signer
  listings: OwnListings
  /** Whether a track is on its way here at this moment. */
  isBringing: (track: HeldTrack) => boolean
  archives: Pick<ArchiveKeeper, 'page'>
  takedowns: Takedowns
  /** Where the network has payments. */
  till: NodeTill | undefined
  /** What this node does as a key holder. */
  premium: NodePremium | undefined
  denylist: OwnDenylist
  offers: OfferStore
  changes: OfferChanges
  receipts: ReceiptStore
  holdings: HoldingStore
  room: Room
  puller: Pick<Puller, 'start'>
  metrics: Metrics
  logger: Logger
  checks: Record<string, HealthCheck>
  status: () => Promise<ContentStatus>
  /** Called with the reason of each offer that is refused. */
  onRefused: (reason: string) => void
  /** Ends long polls. */
  signal: AbortSignal
  /** ms since 1970. */
  now: () => number
}

/** What a content service answers. Blocks are served if they are here; nothing is fetched for whoever asks, but for
 * listeners who pay here. */
export function createContentApp(options: ContentAppOptions): RequestListener {
  const { catalogue, reads, receipts, holdings, publicUrl, self, logger, metrics, takedowns, till, premium } =
    options
  const gate = till?.gate

  function holdersOf(manifest: string): string[] {
    const [holding] = holdings.ofManifest(manifest)
    const track = holding && liveTrack(holding.subject, catalogue.subject(holding.subject))
    return track === undefined ? [] : otherHolders(track, catalogue, self).map(({ endpoint }) => endpoint)
  }

  const keysOf = premium?.keysBy((manifest) => holdings.ofManifest(manifest)[0]?.subject)

  const app = createApp({ logger, metrics, service: serviceName, routine: ['/ipfs/'] })
  app.use(healthRoutes({ checks: options.checks, status: options.status }))
  app.use(
    offerRoutes({
      ...options,
      audience: publicUrl,
      receiptOf: ({ state, subject, manifest }) =>
        manifest === null || (state !== 'held' && state !== 'published')
          ? undefined
          : receipts.get(subject, manifest),
      onTaken: (lease) => options.puller.start(lease),
    }),
  )
  app.use(holdingRoutes({ ...options, audience: publicUrl }))
  app.use(proofRoutes({ ...options, audience: publicUrl, hotKey: options.hotSigner, ipfs: reads }))
  const { cacheBytes } = options
  const gateway = createGateway({
    ipfs: reads,
    cacheBytes,
    takedowns,
    gate,
    fetchMissing: till?.fetchMissing,
  })
  app.use(gateway.routes)
  if (till !== undefined) app.use(till.routes)
  if (premium !== undefined) app.use(premium.routes)
  app.use(
    receiptRoutes({
      receiptsOf: (manifest) => receipts.ofManifest(manifest),
      replication: () => replicationNow(catalogue),
      takedowns,
    }),
  )
  app.use(hlsRoutes({ ipfs: till?.blocks ?? reads, publicUrl, holdersOf, takedowns, keysOf }))
  const purchases = till?.purchases(audioRoutes({ ipfs: reads, takedowns }))
  if (purchases !== undefined) app.use(purchases)
  app.use(audioRoutes({ ipfs: reads, takedowns, gate }))
  app.use(originalRoutes({ ipfs: reads, takedowns, gate }))
  app.use(archiveRoutes(options))
  app.use(denylistRoutes(options))
  return quickFirst(gateway.quick, finishApp(app))
}
