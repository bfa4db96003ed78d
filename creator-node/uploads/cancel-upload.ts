import type { Budgets } from '../admission/index.ts'
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
    const { receivedBytes } = uploads.apply(id, 'cancelled', () => ({ endedAtMs: now(), sourceGone: true }))
    budgets.giveBack('bytes', account, byteLength - receivedBytes, createdAtMs)
  } catch (error) {
    if (!(error instanceof WrongState)) throw error
  }
  await files.remove(id)
}
