import { close, constants, fdatasync, open, write } from 'node:fs'
import { promisify } from 'node:util'

/** A file to whose end bytes are written. */
export type SyncedFile = {
  /** Resolves when the bytes are on the disk. When it rejects nobody knows how many of them are. */
  append(bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** On Linux a write to such a file is over when fdatasync would be (open(2)), which saves a turn of the thread pool for
 * each. Other systems promise less of it. */
const writesAreSynced = process.platform === 'linux'
const syncFlag = writesAreSynced ? constants.O_DSYNC : 0

const [opened, closed, synced] = [promisify(open), promisify(close), promisify(fdatasync)]

/** @param isFresh whether it must not be there yet. @default it may be there or not */
export async function openSynced(path: string, { isFresh = false } = {}): Promise<SyncedFile> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | syncFlag
  const file = await opened(path, isFresh ? flags | constants.O_EXCL : flags, 0o600)

  function writeSome(bytes: Uint8Array, from: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(file, bytes, from, bytes.length - from, null, (error, written) => {
        if (error === null) resolve(written)
        else reject(error)
      })
    })
  }

  return {
    async append(bytes) {
      for (let from = 0; from < bytes.length; ) from += await writeSome(bytes, from)
      if (!writesAreSynced) await synced(file)
    },
    close: () => closed(file),
  }
}
