import type { Budgets } from '../admission/index.ts'
import { leastSpentBytes, spentBytes } from './admit-upload.ts'
import type { SourceFiles } from './source-files.ts'
import { WrongState } from './states.ts'
import type { Upload } from './upload.ts'
import type { UploadStore } from './upload-store.ts'

/** Takes an upload back: its work stops, its file goes, and what was not sent is given back to the day's budgets. Its
 * blocks go with the next clean-up. Cancelling twice is cancelling once. */
export async function cancelUpload(
  upload: Upload,
  options: { uploads: UploadStore; files: SourceFiles; budgets: Budgets; now: () => number },
): Promise<void> {
  const { uploads, files, budgets, now } = options
  const { id, account, byteLength, createdAtMs } = upload
  try {
    // The file knows better than we do how much of it came over a connection that broke.
    const arrived = upload.state === 'receiving' ? await files.size(id) : byteLength
    const { reused } = uploads.apply(id, 'cancelled', () => ({ endedAtMs: now(), sourceGone: true }))
    if (reused !== true) budgets.giveBack(account, { bytes: unusedBytes(byteLength, arrived) }, createdAtMs)
  } catch (error) {
    if (!(error instanceof WrongState)) throw error
  }
  await files.remove(id)
}

/** What an upload was counted with and did not use: everything but what arrived, or what each counts at least. */
export function unusedBytes(byteLength: number, arrivedBytes: number): number {
  return spentBytes(byteLength) - Math.max(arrivedBytes, leastSpentBytes)
}
