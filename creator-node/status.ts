import type { Sender } from '@hexachord/platform/chain'
import type { Logger, Metrics } from '@hexachord/platform/process'
import type { Address } from '@hexachord/protocol/names'
import type { UploadTerms } from '@hexachord/protocol/rest'
import type { Catalogue } from '@hexachord/storage/catalogue'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import { type FollowingStatus, nodeStatus } from '@hexachord/storage/node'
import type { Takedowns } from '@hexachord/storage/takedowns'
import type { NodeTill } from '@hexachord/storage/till'
import { type Budgets, type Expense, expenses } from './admission/index.ts'
import type { CpuSlots, Jobs } from './jobs/index.ts'
import type { HeldActions } from './publishing/index.ts'
import { type TermsOptions, type UploadState, type UploadStore, uploadTerms } from './uploads/index.ts'

/** What `/status` of a creator node says beyond what every node says. Bytes, and times in ms. */
export type CreatorStatus = FollowingStatus & {
  /** Discovery providers that this node points clients to. */
  readonly discovery: readonly string[]
  /** The account that pays for actions. */
  readonly relayer: string
  readonly uploads: Partial<Record<UploadState, number>>
  /** Jobs by queue; null while Redis is away. */
  readonly queues: Awaited<ReturnType<Jobs['counts']>> | null
  readonly transcoding: { readonly running: number; readonly waiting: number }
  /** Actions that are not on the chain yet. */
  readonly outbox: ReturnType<Sender['counts']>
  /** Actions that are held back until their time, by how they stand. */
  readonly releases: ReturnType<HeldActions['countByState']>
  readonly today: Readonly<Record<Expense, number>>
  /** Room for new uploads. */
  readonly freeBytes: number
  /** What it takes now. */
  readonly accepting: UploadTerms
}

export type StatusParts = TermsOptions & {
  version: string
  operator: Address
  hotKey: Address
  publicUrl: string
  discoveryUrls: readonly string[]
  catalogue: Catalogue
  ipfs: IpfsNode
  takedowns: Pick<Takedowns, 'counts'>
  till: Pick<NodeTill, 'status'> | undefined
  uploads: UploadStore
  jobs: Jobs
  slots: CpuSlots
  sender: Sender
  held: Pick<HeldActions, 'countByState'>
  budgets: Budgets
  freeBytes: () => Promise<number>
  logger: Logger
}

export async function creatorStatus(parts: StatusParts): Promise<CreatorStatus> {
  const { budgets } = parts
  const [status, freeBytes, queues, accepting] = await Promise.all([
    nodeStatus({ ...parts, service: 'creator-node' }),
    parts.freeBytes(),
    queueCounts(parts),
    uploadTerms(parts),
  ])
  return {
    ...status,
    discovery: parts.discoveryUrls,
    relayer: parts.sender.address,
    uploads: parts.uploads.countByState(),
    queues,
    transcoding: parts.slots.counts(),
    outbox: parts.sender.counts(),
    releases: parts.held.countByState(),
    today: {
      bytes: budgets.spentToday('bytes'),
      actions: budgets.spentToday('actions'),
      gas: budgets.spentToday('gas'),
    },
    freeBytes: Math.max(0, freeBytes),
    accepting,
  }
}

async function queueCounts({ jobs, logger }: StatusParts): Promise<CreatorStatus['queues']> {
  try {
    return await jobs.counts()
  } catch (err) {
    logger.debug({ err }, 'queues cannot be counted')
    return null
  }
}

/** The same figures for Prometheus, read when it asks. */
export function exposeStatus(metrics: Metrics, parts: StatusParts): void {
  const { uploads, slots, sender, held, budgets, catalogue, ipfs } = parts
  const counts = metrics.gauge({
    name: 'creator_uploads',
    help: 'Uploads by state',
    labelNames: ['state'],
    collect() {
      counts.reset()
      for (const [state, count] of Object.entries(uploads.countByState())) counts.set({ state }, count)
    },
  })
  const ffmpegs = metrics.gauge({
    name: 'creator_transcoding',
    help: 'Renditions and measurements by whether they have a core',
    labelNames: ['state'],
    collect() {
      const { running, waiting } = slots.counts()
      ffmpegs.set({ state: 'running' }, running)
      ffmpegs.set({ state: 'waiting' }, waiting)
    },
  })
  const outbox = metrics.gauge({
    name: 'creator_outbox',
    help: 'Actions that are not on the chain yet',
    labelNames: ['state'],
    collect() {
      for (const [state, count] of Object.entries(sender.counts())) outbox.set({ state }, count)
    },
  })
  const releases = metrics.gauge({
    name: 'creator_releases',
    help: 'Actions held back until their time, and what became of those of a month',
    labelNames: ['state'],
    collect() {
      releases.reset()
      for (const [state, count] of Object.entries(held.countByState())) releases.set({ state }, count)
    },
  })
  const spent = metrics.gauge({
    name: 'creator_spent_today',
    help: 'What of the budgets of the day is spent',
    labelNames: ['expense'],
    collect() {
      for (const expense of expenses) spent.set({ expense }, budgets.spentToday(expense))
    },
  })
  const bytes = metrics.gauge({
    name: 'creator_stored_bytes',
    help: 'Bytes of stored blocks',
    async collect() {
      bytes.set((await ipfs.usage()).bytes)
    },
  })
  const behind = metrics.gauge({
    name: 'creator_blocks_behind',
    help: 'Blocks of the chain that this node has not read yet',
    collect() {
      behind.set(catalogue.head() - catalogue.indexed())
    },
  })
}
