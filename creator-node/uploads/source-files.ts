import { mkdir, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FileStore } from '@tus/file-store'
import { ERRORS, Upload as TusUpload } from '@tus/server'
import type { UploadStore } from './upload-store.ts'

/** The files that artists send, one per upload, named by it. */
export type SourceFiles = {
  /** For the tus server. */
  readonly store: FileStore
  pathOf(id: string): string
  /** Bytes that have arrived; 0 when there is no file. */
  size(id: string): Promise<number>
  /** Resolves once all of the file would survive a power cut. */
  sync(id: string): Promise<void>
  remove(id: string): Promise<void>
}

/** @param directory made when it is not there */
export async function openSourceFiles(directory: string, uploads: UploadStore): Promise<SourceFiles> {
  await mkdir(directory, { recursive: true })
  const pathOf = (id: string) => join(directory, id)
  return {
    store: new SourceFileStore(directory, uploads),
    pathOf,
    async size(id) {
      try {
        return (await stat(pathOf(id))).size
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
        throw error
      }
    },
    async sync(id) {
      await syncPath(pathOf(id))
      await syncPath(directory)
    },
    remove: (id) => rm(pathOf(id), { force: true }),
  }
}

/**
 * What tus keeps beside its files stands in our database instead, so that the two cannot disagree. The offset is the
 * file's own length: whatever was acknowledged is in the file, even if this process was killed the moment after.
 */
class SourceFileStore extends FileStore {
  readonly #uploads: UploadStore

  constructor(directory: string, uploads: UploadStore) {
    super({ directory, configstore: configstoreOf(uploads) })
    this.#uploads = uploads
    // Lengths must be known, since budgets are kept; and we have our own way of forgetting.
    this.extensions = ['creation', 'creation-with-upload', 'termination']
  }

  override async getUpload(id: string): Promise<TusUpload> {
    const upload = this.#uploads.get(id)
    if (upload === undefined) throw ERRORS.FILE_NOT_FOUND
    if (upload.state === 'cancelled') throw ERRORS.FILE_NO_LONGER_EXISTS
    // Complete, and perhaps deleted already: whoever asks has nothing more to send.
    if (upload.state !== 'receiving') {
      return new TusUpload({ id, size: upload.byteLength, offset: upload.byteLength })
    }
    return super.getUpload(id)
  }

  /** What was written is known to everybody who watches before the sender is told so. */
  override async write(...[readable, id, offset]: Parameters<FileStore['write']>): Promise<number> {
    const receivedBytes = await super.write(readable, id, offset)
    this.#uploads.change(id, ({ state }) => (state === 'receiving' ? { receivedBytes } : undefined))
    return receivedBytes
  }
}

function configstoreOf(uploads: UploadStore) {
  return {
    async get(id: string): Promise<TusUpload | undefined> {
      const upload = uploads.get(id)
      if (upload === undefined) return undefined
      return new TusUpload({
        id,
        size: upload.byteLength,
        offset: 0,
        metadata: { filename: upload.filename },
      })
    },
    /** The upload was written when it was admitted. */
    async set() {},
    /** What becomes of the upload is decided by whoever deletes its file. */
    async delete() {},
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
