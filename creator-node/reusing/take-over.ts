import type { IpfsNode } from '@hexachord/storage/ipfs'
import { overspentProblem } from '../admission/index.ts'
import {
  type AdmitOptions,
  checkOpen,
  leastSpentBytes,
  type Upload,
  type UploadStore,
} from '../uploads/index.ts'
import { findMadeTrack, reuse } from './find-made-track.ts'

/**
 * Begins an upload whose file its account has sent to this node before, as the hash that came with it says: it is
 * given the track that was made then, under its own name, and nothing need be sent. It counts no more in the day's
 * budget than its row and its job.
 * @param upload not stored yet
 * @returns false when there is no such track; then nothing was done
 * @throws Problem 429
 */
export async function takeOver(
  upload: Upload,
  options: {
    uploads: UploadStore
    ipfs: Pick<IpfsNode, 'pin'>
    budgets: AdmitOptions['budgets']
    limits: AdmitOptions['limits']
    otherNodes: () => readonly string[]
    /** The upload has all its blocks. */
    replicate: (id: string) => void
    /** ms since 1970. */
    now: () => number
  },
): Promise<boolean> {
  const { uploads, ipfs, budgets } = options
  const { id, account, expectedSha256: sha256 } = upload
  if (sha256 === undefined) return false
  const made = await findMadeTrack({ ...upload, sha256 }, { uploads, ipfs, account })
  if (made?.track === undefined) return false
  checkOpen(account, options)
  const overspent = budgets.spend(account, { bytes: leastSpentBytes })
  if (overspent) throw overspentProblem(overspent, { otherNodes: options.otherNodes() })
  const atMs = options.now()
  const times = { receivedAtMs: atMs, renderedAtMs: atMs }
  uploads.add(
    { ...upload, ...reuse(made), ...times, state: 'replicating', receivedBytes: upload.byteLength },
    uploads.blocks(made.id, 0, Number.MAX_SAFE_INTEGER),
  )
  // It may have been let go of between the two.
  await ipfs.pin(made.track.manifest)
  options.replicate(id)
  return true
}
