import { readdir } from 'node:fs/promises'
import type { Logger } from '@hexachord/platform/process'
import { type Catalogue, liveTrack } from '@hexachord/storage/catalogue'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import type { Takedowns } from '@hexachord/storage/takedowns'
import type { SourceFiles, Upload, UploadStore } from '../uploads/index.ts'
import { isAbandoned, rubbishOf } from './release-upload.ts'

export type HousekeeperOptions = {
  uploads: UploadStore
  files: SourceFiles
  sourceDirectory: string
  ipfs: Pick<IpfsNode, 'unpin' | 'collect' | 'protect'>
  catalogue: Pick<Catalogue, 'subject'>
  takedowns: Pick<Takedowns, 'trackDenied'>
  /** Completes an upload whose last bytes came just before a crash. */
  finish: (id: string) => Promise<void>
  cancel: (upload: Upload) => Promise<void>
  /** Whether something may still be made for an upload: then it is left alone. */
  isWorkedOn?: (id: string) => boolean
  logger: Logger
  /** ms since 1970. */
  now: () => number
  /** Between looks at uploads that are being received. @default 10 s */
  receivingMs?: number
  /** Between rounds through everything. @default 10 min */
  roundMs?: number
}

/** Throws away what nobody needs any more, and finishes what a crash interrupted. */
export type Housekeeper = {
  /** One round through everything, now. */
  tidy(): Promise<void>
  close(): Promise<void>
}

const defaultReceivingMs = 10_000
const defaultRoundMs = 10 * 60_000
const pageSize = 100
/** Blocks that nothing names are kept this long: an upload may be about to name them, which it does within a second. */
const blockGraceMs = 60 * 60_000
/** What uploads under work have named and nothing has pinned yet is kept until the next rounds. */
const protectedMs = 2 * 60 * 60_000

export function createHousekeeper(options: HousekeeperOptions): Housekeeper {
  const { uploads, files, ipfs, now, logger } = options
  const closing = new AbortController()
  let running = Promise.resolve()
  /** Came to nothing, and not cleared out yet. */
  const ended = new Set<string>()
  const unwatch = uploads.onChange((id) => {
    const state = uploads.get(id)?.state
    if (state === 'cancelled' || state === 'failed') ended.add(id)
  })

  /** One after the other; what goes wrong is in the log and tried again with the next round. */
  function schedule(name: string, work: () => Promise<void>): Promise<void> {
    running = running.then(async () => {
      if (closing.signal.aborted) return
      try {
        await work()
      } catch (err) {
        if (!closing.signal.aborted) logger.error({ err, work: name }, 'housekeeping failed')
      }
    })
    return running
  }

  async function lookAfterReceiving(): Promise<void> {
    for (const upload of uploads.inState('receiving')) {
      const { id } = upload
      const file = { byteLength: await files.size(id), changedAtMs: await files.changedAtMs(id) }
      if (file.byteLength === upload.byteLength) await options.finish(id)
      else if (isAbandoned(upload, now(), file)) await options.cancel(upload)
    }
    for (const id of [...ended]) {
      if (options.isWorkedOn?.(id) === true) continue
      ended.delete(id)
      const upload = uploads.get(id)
      if (upload !== undefined) await clearOut(upload)
    }
  }

  /** Blocks of what is being made, which no pin holds before it is done. */
  async function protectUnfinished(): Promise<void> {
    for (const { id } of uploads.inState('processing', 'replicating')) {
      const cids = uploads.blocks(id, 0, Number.MAX_SAFE_INTEGER).map(({ cid }) => cid)
      await ipfs.protect(cids, now() + protectedMs)
    }
  }

  async function round(): Promise<void> {
    for (let after = ''; !closing.signal.aborted; ) {
      const page = uploads.page(after, pageSize)
      for (const upload of page) await clearOut(upload)
      const last = page.at(-1)
      if (last === undefined || page.length < pageSize) break
      after = last.id
    }
    await removeStrayFiles()
    await protectUnfinished()
    const { removed, bytes } = await ipfs.collect({ graceMs: blockGraceMs, signal: closing.signal })
    if (removed > 0) logger.info({ removed, bytes }, 'blocks collected')
  }

  async function clearOut(upload: Upload): Promise<void> {
    const { id } = upload
    if (options.isWorkedOn?.(id) === true) return
    const state = options.catalogue.subject(upload.subject)
    const published = liveTrack(upload.subject, state)?.manifest
    const isNamed = published !== undefined && published === upload.track?.manifest
    // What this operator refuses goes like what was deleted.
    const isPublished = isNamed && options.takedowns.trackDenied(upload.subject) === undefined
    const rubbish = rubbishOf(upload, isPublished, now(), state?.updatedAtMs)
    if (rubbish.source) {
      await files.remove(id)
      uploads.change(id, () => ({ sourceGone: true }))
    }
    if (rubbish.blocks) await release(upload)
    if (rubbish.record) uploads.remove(id)
  }

  async function release({ id, playable, track, renditions, original }: Upload): Promise<void> {
    uploads.change(id, () => ({ released: true }))
    const roots = [
      ...[playable, track?.manifest, original?.list['/']],
      ...renditions.map(({ made }) => made?.cid),
    ]
    for (const root of new Set(roots)) {
      // The same file uploaded twice has the same blocks: they stay as long as one upload needs them.
      if (root !== undefined && uploads.byManifest(root).length === 0) await ipfs.unpin(root)
    }
  }

  async function removeStrayFiles(): Promise<void> {
    for (const name of await readdir(options.sourceDirectory)) {
      if (uploads.get(name) === undefined) await files.remove(name)
    }
  }

  const timers = [
    setInterval(
      () => void schedule('receiving', lookAfterReceiving),
      options.receivingMs ?? defaultReceivingMs,
    ),
    setInterval(() => void schedule('round', round), options.roundMs ?? defaultRoundMs),
  ]
  void schedule('receiving', lookAfterReceiving)

  return {
    async tidy() {
      await schedule('receiving', lookAfterReceiving)
      await schedule('round', round)
    },
    async close() {
      unwatch()
      for (const timer of timers) clearInterval(timer)
      closing.abort(new DOMException('housekeeping ends', 'AbortError'))
      await running
    },
  }
}
