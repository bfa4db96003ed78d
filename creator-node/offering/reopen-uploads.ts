import { type Catalogue, liveTrack } from '@hexachord/storage/catalogue'
import type { Upload, UploadStore } from '../uploads/index.ts'
import { withoutOutdated } from './counting-receipts.ts'

/**
 * Keeps uploads publishable that wait for their artist: when operators change, or their ranks, and a receipt would not
 * be accepted any more, the upload is replicated anew, so that it is ready again with receipts that count. Looks at once,
 * too, for what has changed while this node was away.
 * @param options.replicate begins to
 * @returns a function that ends it
 */
export function reopenUploads(options: {
  uploads: Pick<UploadStore, 'inState' | 'apply'>
  catalogue: Pick<Catalogue, 'accepted' | 'operators' | 'subject' | 'onChange'>
  replicate: (id: string) => void
  /** ms since 1970. */
  now: () => number
}): () => void {
  const { uploads, catalogue, now } = options

  function look(): void {
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
  return catalogue.onChange(({ operators, ranks }) => {
    if (operators || ranks) look()
  })
}
