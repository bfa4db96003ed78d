import type { RequestListener } from 'node:http'
import type { ChainReader, Sender } from '@hexachord/platform/chain'
import { createApp, finishApp, type HealthCheck, healthRoutes, quickFirst } from '@hexachord/platform/http'
import type { Logger, Metrics } from '@hexachord/platform/process'
import type { Sqlite } from '@hexachord/platform/sqlite'
import type { Subject } from '@hexachord/protocol/names'
import { type ArchiveKeeper, archiveRoutes } from '@hexachord/storage/archives'
import { audioRoutes } from '@hexachord/storage/audio'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { createGateway } from '@hexachord/storage/gateway'
import { hlsRoutes } from '@hexachord/storage/hls'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import { originalRoutes } from '@hexachord/storage/originals'
import { createIdentify, requireOperator } from '@hexachord/storage/peers'
import type { NodePremium } from '@hexachord/storage/premium'
import { denylistRoutes, type OwnDenylist, type Takedowns } from '@hexachord/storage/takedowns'
import type { NodeTill } from '@hexachord/storage/till'
import { receiptRoutes } from '@hexachord/storage/tracks'
import { type Budgets, type Invites, type PublisherGate, publisherRoutes } from './admission/index.ts'
import { blockListRoutes } from './offering/index.ts'
import { actionRoutes, type HeldActions, releaseRoutes } from './publishing/index.ts'
import { takeOver } from './reusing/index.ts'
import { serviceName } from './service-name.ts'
import type { CreatorStatus } from './status.ts'
import {
  cancelUpload,
  type OpenSecret,
  publishedPremium,
  type SourceFiles,
  termsRoutes,
  tusRoutes,
  type Upload,
  type UploadChanges,
  type UploadLimits,
  type UploadStore,
  uploadReadRoutes,
} from './uploads/index.ts'

export type CreatorAppOptions = {
  /** Origin of this node as others see it. */
  publicUrl: string
  catalogue: Catalogue
  reader: ChainReader
  sender: Sender
  database: Pick<Sqlite, 'transaction'>
  held: HeldActions
  /** An action is held back, perhaps until soon. */
  onHeld: () => void
  ipfs: IpfsNode
  uploads: UploadStore
  changes: UploadChanges
  files: SourceFiles
  openSecret: OpenSecret
  archives: Pick<ArchiveKeeper, 'page'>
  takedowns: Takedowns
  /** Where the network has payments. */
  till: NodeTill | undefined
  /** What this node does as a key holder. */
  premium: NodePremium | undefined
  denylist: OwnDenylist
  gate: PublisherGate
  invites: Invites
  budgets: Budgets
  limits: UploadLimits
  freeBytes: () => Promise<number>
  /** See `tusRoutes`. */
  onArriving: (id: string) => void
  onArrived: (id: string) => void
  onReceived: (id: string) => void
  /** An upload has all its blocks. */
  replicate: (id: string) => void
  /** Uploads that are worked on before a queued one. */
  ahead: (upload: Upload) => number
  fetchMissing: (cid: string, signal: AbortSignal) => Promise<Uint8Array>
  /** Memory for hot blocks. */
  cacheBytes: number
  metrics: Metrics
  logger: Logger
  checks: Record<string, HealthCheck>
  status: () => Promise<CreatorStatus>
  /** Ends long polls and event streams. */
  signal: AbortSignal
  /** ms since 1970. */
  now: () => number
}

/** Enough for a client to go on with. */
const otherNodesNamed = 8

/** What a creator node answers. */
export function createCreatorApp(options: CreatorAppOptions): RequestListener {
  const { catalogue, ipfs, uploads, publicUrl, now, signal, changes, takedowns, till, premium } = options
  const gate = till?.gate
  const { domain } = catalogue.rules
  const identify = createIdentify({ domain, audience: publicUrl, now })

  /** Where others hold a track that was uploaded here. */
  function holdersOf(manifest: string): string[] {
    const operators = catalogue.operators()
    return uploads
      .byManifest(manifest)
      .flatMap(({ replicas }) => replicas)
      .flatMap(({ operator, state }) => (state === 'held' ? (operators.get(operator)?.endpoint ?? []) : []))
  }

  /** Operators that offer no room are creator nodes, this one left out. */
  const otherNodes = () =>
    [...catalogue.operators().values()]
      .filter(
        ({ active, capacityBytes, endpoint }) => active && capacityBytes === 0n && endpoint !== publicUrl,
      )
      .slice(0, otherNodesNamed)
      .map(({ endpoint }) => endpoint)

  const isPremium = (subject: Subject) =>
    publishedPremium(subject, { catalogue, uploads, loadTrack: till?.loadTrack })

  const keysOf = premium?.keysBy((manifest) => uploads.byManifest(manifest)[0]?.subject)

  const app = createApp({
    logger: options.logger,
    metrics: options.metrics,
    service: serviceName,
    routine: ['/ipfs/'],
  })
  app.use(healthRoutes({ checks: options.checks, status: options.status }))
  app.use(
    blockListRoutes({
      ...{ uploads, changes, signal },
      requireOperator: requireOperator({ domain, audience: publicUrl, catalogue, now }),
    }),
  )
  app.use(
    tusRoutes({
      ...{
        publicUrl,
        uploads,
        files: options.files,
        identify,
        onArriving: options.onArriving,
        onArrived: options.onArrived,
        onReceived: options.onReceived,
      },
      admit: { ...options, domain, audience: publicUrl, otherNodes, isPremium },
      takeOver: (upload) => takeOver(upload, { ...options, otherNodes }),
      onCancel: (upload) => cancelUpload(upload, options),
    }),
  )
  // After tus, whose HEAD is another than that of the route for GET.
  app.use(termsRoutes({ ...options, identify }))
  app.use(uploadReadRoutes({ uploads, changes, signal, ahead: options.ahead }))
  app.use(publisherRoutes({ ...options, identify }))
  app.use(actionRoutes({ ...options, identify }))
  app.use(releaseRoutes({ ...options, identify }))
  app.use(receiptRoutes({ receiptsOf: (manifest) => receiptsOf(uploads, manifest), takedowns }))
  app.use(hlsRoutes({ ipfs: till?.blocks ?? ipfs, publicUrl, holdersOf, takedowns, keysOf }))
  app.use(archiveRoutes(options))
  app.use(denylistRoutes(options))
  const purchases = till?.purchases(audioRoutes({ ipfs, takedowns }))
  if (purchases !== undefined) app.use(purchases)
  app.use(audioRoutes({ ipfs, takedowns, gate }))
  app.use(originalRoutes({ ipfs, takedowns, gate }))
  const { cacheBytes, fetchMissing } = options
  const gateway = createGateway({ ipfs, cacheBytes, fetchMissing, takedowns, gate })
  app.use(gateway.routes)
  if (till !== undefined) app.use(till.routes)
  if (premium !== undefined) app.use(premium.routes)
  return quickFirst(gateway.quick, finishApp(app))
}

/** One receipt per operator and subject; the same recording may have been uploaded more than once. */
function receiptsOf(uploads: UploadStore, manifest: string) {
  const receipts = uploads
    .byManifest(manifest)
    .flatMap(({ replicas }) => replicas.flatMap(({ receipt }) => receipt ?? []))
  const byName = new Map(receipts.map((receipt) => [`${receipt.operator} ${receipt.subject}`, receipt]))
  return [...byName.values()]
}
