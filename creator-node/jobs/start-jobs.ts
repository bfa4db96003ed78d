import type { Logger } from '@hexachord/platform/process'
import { createQueue, QueueUnavailable } from '@hexachord/platform/queue'
import type { Address } from '@hexachord/protocol/names'
import type { UploadStore } from '../uploads/index.ts'
import { failUpload, processUpload } from './process-upload.ts'
import type { WorkOptions } from './work.ts'

/** The node's work on uploads, in two queues: making tracks, and bringing them to other operators. */
export type Jobs = {
  /** Begins to make the track of an upload that has arrived. */
  process(id: string): void
  /** Begins to replicate an upload that has its first blocks. */
  replicate(id: string): void
  counts(): Promise<{ processing: QueueCounts; replication: QueueCounts }>
  /** Rejects unless Redis answers. */
  ping(): Promise<void>
  close(): Promise<void>
}

export type QueueCounts = { waiting: number; active: number; delayed: number; parked: number }

/** More than there are cores, so that one upload's disk work fills another's waiting; ffmpegs have slots of their own. */
const processingConcurrency = 6
/** Replications mostly wait for others. */
const replicationConcurrency = 64
const processingAttempts = 4
const replicationAttempts = 8
const backoffMs = 2_000

/** Starts both queues. What they hold in Redis is only a copy: SQLite knows what is unfinished, and they are filled
 * from it again and again. */
export function startJobs(options: {
  redisUrl: string
  operator: Address
  uploads: UploadStore
  work: Omit<WorkOptions, 'onFirstBlock'>
  replicateUpload: (id: string, signal: AbortSignal) => Promise<void>
  logger: Logger
}): Jobs {
  const { redisUrl, operator, uploads, logger, work } = options
  const queueOptions = { redisUrl, logger, backoffMs }

  const replication = createQueue<object>({
    ...queueOptions,
    name: `replication-${operator}`,
    concurrency: replicationConcurrency,
    attempts: replicationAttempts,
    process: ({ id, signal }) => options.replicateUpload(id, signal),
    onParked: ({ id, reason }) => failUpload(work, id, { problem: 'replicationFailed', reason }),
    unfinished: () =>
      uploads
        .inState('processing', 'replicating')
        .filter(({ id }) => uploads.blockCount(id) > 0)
        .map(asJob),
  })
  const processing = createQueue<object>({
    ...queueOptions,
    name: `processing-${operator}`,
    concurrency: processingConcurrency,
    attempts: processingAttempts,
    process: ({ id, signal }) => processUpload(id, { ...work, onFirstBlock: replicate }, signal),
    onParked: ({ id, reason }) => failUpload(work, id, { problem: 'processingFailed', reason }),
    unfinished: () => uploads.inState('queued', 'processing').map(asJob),
  })

  function add(queue: typeof processing, id: string): void {
    queue.add(id, {}).catch((err: unknown) => {
      // It is added with the next refill, once Redis is back.
      if (!(err instanceof QueueUnavailable)) logger.error({ err, upload: id }, 'job not added')
    })
  }

  function replicate(id: string): void {
    add(replication, id)
  }

  return {
    process: (id) => add(processing, id),
    replicate,
    async counts() {
      const [made, replicated] = await Promise.all([processing.counts(), replication.counts()])
      return { processing: made, replication: replicated }
    },
    ping: () => processing.ping(),
    async close() {
      await Promise.all([processing.close(), replication.close()])
    },
  }
}

function asJob({ id }: { id: string }): { id: string; data: object } {
  return { id, data: {} }
}
