import type { Stats } from 'node:fs'
import { mkdir, open, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { Problem } from '@hexachord/platform/http'
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
  /** When the last byte arrived, in ms since 1970; undefined when there is no file. */
  changedAtMs(id: string): Promise<number | undefined>
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
    size: async (id) => (await statOf(pathOf(id)))?.size ?? 0,
    changedAtMs: async (id) => (await statOf(pathOf(id)))?.mtimeMs,
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

  /** What is written everybody who watches sees as it comes, and all of it before the sender is told so. */
  override async write(...[readable, id, offset]: Parameters<FileStore['write']>): Promise<number> {
    const path = join(this.directory, id)
    const watching = setInterval(() => void this.#noteSize(id, path), watchMs)
    try {
      const receivedBytes = await super.write(readable, id, offset)
      const { byteLength } = this.#uploads.get(id) ?? {}
      // With the last byte the upload changes its state: the two share one commit.
      const keep = receivedBytes === byteLength ? this.#uploads.note : this.#uploads.change
      keep(id, ({ state }) => (state === 'receiving' ? { receivedBytes } : undefined))
      return receivedBytes
    } catch (cause) {
      const { bavail, bsize } = await statfs(this.directory)
      if (bavail * bsize > leastFreeBytes) throw cause
      throw diskFull(cause)
    } finally {
      clearInterval(watching)
    }
  }

  async #noteSize(id: string, path: string): Promise<void> {
    const receivedBytes = (await statOf(path))?.size ?? 0
    this.#uploads.note(id, (upload) =>
      upload.state === 'receiving' && upload.receivedBytes < receivedBytes ? { receivedBytes } : undefined,
    )
  }
}

/** Between two looks at a file that is being sent. */
const watchMs = 500
/** With less, a write fails for want of room. */
const leastFreeBytes = 1024 ** 2

/** Refuses what there is no room for. Whatever arrived before is kept, for when there is some again. */
export function diskFull(cause?: unknown): Problem {
  return new Problem({
    status: 507,
    slug: 'disk-full',
    title: 'Disk full',
    detail:
      "this node's disk is full; what it has of the file is kept: go on later, or use another creator node",
    headers: { 'Retry-After': String(retrySeconds) },
    cause,
  })
}

const retrySeconds = 300

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
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
