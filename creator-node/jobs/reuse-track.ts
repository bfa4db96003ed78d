import { findMadeTrack, mayBeReused, reuse } from '../reusing/index.ts'
import { hashSource } from './inspect-source.ts'
import { currentUpload, type Work } from './work.ts'

/**
 * Takes over the track that was made of the very same file before, if there is one. Only when a file of the same
 * length is known the work begins with the file's hash; else nothing waits for it.
 * @returns whether the track is complete now
 * @throws SourceError when the file is not the one that was promised
 */
export async function reuseTrack(work: Work, signal: AbortSignal): Promise<boolean> {
  const { id, uploads, ipfs, now } = work
  const upload = currentUpload(work)
  if (upload.source !== undefined || !mayBeReused(upload, uploads)) return false
  await hashSource(work, signal)
  const { sha256 } = currentUpload(work)
  if (sha256 === undefined) return false
  const made = await findMadeTrack({ ...upload, sha256 }, { uploads, ipfs })
  if (made?.track === undefined) return false
  uploads.change(id, () => ({}), uploads.blocks(made.id, 0, Number.MAX_SAFE_INTEGER))
  uploads.apply(id, 'rendered', () => ({ ...reuse(made), renderedAtMs: now() }))
  // It may have been let go of between the two.
  await ipfs.pin(made.track.manifest, { signal })
  work.onReused(id)
  work.onFirstBlock(id)
  return true
}
