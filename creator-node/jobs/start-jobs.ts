import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { createQueue, QueueUnavailable } from '@hexachord/platform/queue'
import type { Address } from '@hexachord/protocol/names'
import { isBeingProcessed, isDiskFull, type Upload, type UploadStore } from '../uploads/index.ts'
import { createHeadStarts } from './head-start.ts'
import { failUpload, processUpload } from './process-upload.ts'
import { createTurns } from './take-turns.ts'
import type { WorkOptions } from './work.ts'

/** The node's work on uploads, in two queues: making tracks, and bringing them to other operators. */
export type Jobs = {
  /** The file of an upload begins to come, or goes on. */
  anticipate(id: string): void
  /** The file of an upload has come; it is not written down yet. */
  prepare(id: string): void
  /** Begins to make the track of an upload that has arrived, when it is its account's turn. */
  process(id: string): void
  /** Begins to replicate an upload that has its first blocks. */
  replicate(id: string): void
  /** Uploads that are worked on before one that is queued. */
  ahead(upload: Upload): number
  /** Whether something may still be made for an upload, even one that was taken back a moment ago. */
  isWorkingOn(id: string): boolean
  counts(): Promise<{ processing: QueueCounts; replication: QueueCounts }>
  /** Rejects unless Redis answers. */
  ping(): Promise<void>
  close(): Promise<void>
}

export type QueueCounts = { waiting: number; active: number; delayed: number; parked: number }

/** More than there are cores, so that one upload's disk work fills another's waiting; ffmpegs have slots of their own. */
const processingConcurrency = 6
/** Jobs that Redis has at a time: those under work and the next few. Who comes after them is decided when a place
 * is free. */
const placesInLine = processingConcurrency + 2
/** Replications mostly wait for others. */
const replicationConcurrency = 64
const processingAttempts = 4
const replicationAttempts = 8
const backoffMs = 2_000
/** Between two tries of work that the disk has no room for. */
const roomRetryMs = 10_000

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
  const turns = createTurns({ uploads, places: placesInLine })
  const working = new Set<string>()
  const workOptions = { ...work, onFirstBlock: replicate }
  const headStarts = createHeadStarts(workOptions)

  const replication = createQueue<object>({
    ...queueOptions,
    name: `replication-${operator}`,
    concurrency: replicationConcurrency,
    attempts: replicationAttempts,
    process: ({ id, signal }) => whenThereIsRoom(id, signal, () => options.replicateUpload(id, signal)),
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
    process: ({ id, signal }) => processInTurn(id, signal),
    onParked({ id, reason }) {
      failUpload(work, id, { problem: 'processingFailed', reason })
      endTurn(id)
    },
    unfinished: () => turns.inLine().map((id) => asJob({ id })),
  })

  async function processInTurn(id: string, signal: AbortSignal): Promise<void> {
    working.add(id)
    try {
      await whenThereIsRoom(id, signal, () => processUpload(id, workOptions, signal, headStarts.take(id)))
    } finally {
      working.delete(id)
      const state = uploads.get(id)?.state
      if (state === undefined || !isBeingProcessed(state)) endTurn(id)
    }
  }

  /** A full disk is no fault of the upload: it waits until there is room, for as long as its grant allows. */
  async function whenThereIsRoom(
    id: string,
    signal: AbortSignal,
    attempt: () => Promise<void>,
  ): Promise<void> {
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        const upload = uploads.get(id)
        if (!isDiskFull(error) || upload === undefined || upload.grant.expiresAt <= work.now()) throw error
        logger.warn({ err: error, upload: id }, 'upload waits for room on the disk')
        uploads.note(id, () => ({ waitingFor: "room on this node's disk" }))
        await delay(roomRetryMs, undefined, { signal })
        uploads.note(id, () => ({ waitingFor: undefined }))
      }
    }
  }

  function endTurn(id: string): void {
    turns.end(id)
    feed()
  }

  function feed(): void {
    for (const id of turns.next()) add(processing, id)
  }

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
    anticipate: headStarts.begin,
    prepare: headStarts.give,
    process: feed,
    replicate,
    ahead: ({ id }) => turns.ahead(id),
    isWorkingOn: (id) => working.has(id),
    async counts() {
      const [made, replicated] = await Promise.all([processing.counts(), replication.counts()])
      return { processing: made, replication: replicated }
    },
    ping: () => processing.ping(),
    async close() {
      await Promise.all([processing.close(), replication.close(), headStarts.close()])
    },
  }
}

function asJob({ id }: { id: string }): { id: string; data: object } {
  return { id, data: {} }
}
