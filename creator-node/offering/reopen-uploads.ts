import { isDatabaseFull } from '@hexachord/platform/sqlite'
import { type Catalogue, liveTrack } from '@hexachord/storage/catalogue'
import type { Upload, UploadStore } from '../uploads/index.ts'
import { withoutOutdated } from './counting-receipts.ts'

/** An epoch that begins like the one before it is no news to the catalogue, and yet the end of whoever was in rank only
 * before that. */
const defaultEpochLookMs = 1_000

/**
 * Keeps uploads publishable that wait for their artist: when operators change, or their ranks, and a receipt would not
 * be accepted any more, the upload is replicated anew, so that it is ready again with receipts that count. Looks at once,
 * too, for what has changed while this node was away.
 * @param options.replicate begins to
 * @returns a function that ends it
 */
export function reopenUploads(options: {
  uploads: Pick<UploadStore, 'inState' | 'apply'>
  catalogue: Pick<Catalogue, 'accepted' | 'operators' | 'subject' | 'epoch' | 'onChange'>
  replicate: (id: string) => void
  /** ms since 1970. */
  now: () => number
  /** Between looks at whether an epoch has begun. @default 1 s */
  epochLookMs?: number
}): () => void {
  const { uploads, catalogue, now } = options
  let epoch: number | undefined

  function look(): void {
    try {
      reopenOutdated()
      epoch = catalogue.epoch()
    } catch (error) {
      if (!isDatabaseFull(error)) throw error
      // The timer looks again, as at the beginning of an epoch.
      epoch = undefined
    }
  }

  function reopenOutdated(): void {
    for (const upload of uploads.inState('ready')) {
      if (!waits(upload)) continue
      const replicas = withoutOutdated(upload, { catalogue, nowMs: now() })
      if (replicas === undefined) continue
      uploads.apply(upload.id, 'outdated', () => ({ replicas }))
      options.replicate(upload.id)
    }
  }

  function waits({ subject, track, released }: Upload): boolean {
    if (track === undefined || released) return false
    const state = catalogue.subject(subject)
    return state?.deleted !== true && liveTrack(subject, state)?.manifest !== track.manifest
  }

  look()
  const unsubscribe = catalogue.onChange(({ operators, ranks }) => {
    if (operators || ranks) look()
  })
  const timer = setInterval(() => {
    if (catalogue.epoch() !== epoch) look()
  }, options.epochLookMs ?? defaultEpochLookMs)
  return () => {
    unsubscribe()
    clearInterval(timer)
  }
}
