import { close, constants, fdatasync, fstat, ftruncate, open, write } from 'node:fs'
import { promisify } from 'node:util'

/** A file to whose end bytes are written. */
export type SyncedFile = {
  /** Resolves when the bytes are on the disk. When it rejects nobody knows how many of them are. To be called when the
   * one before has resolved. */
  append(bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** On Linux a write to such a file is over when fdatasync would be (open(2)), which saves a turn of the thread pool for
 * each. Other systems promise less of it. */
const writesAreSynced = process.platform === 'linux'
const syncFlag = writesAreSynced ? constants.O_DSYNC : 0

/** Written at one time, so that what is to be appended does not wait for long. */
const zeros = new Uint8Array(256 * 1024)
/** Zeros that stand ready at most. */
const mostAhead = 4 * 1024 * 1024
/** A file to which less was written takes no room that it does not need. */
const leastAhead = 64 * 1024

const [opened, closed, synced, truncated, stated] = [
  promisify(open),
  promisify(close),
  promisify(fdatasync),
  promisify(ftruncate),
  promisify(fstat),
]

/**
 * Zeros are written behind the end, ahead of what will be appended, as many as was appended before: a file system that
 * makes a file longer has to write down more than the bytes, which takes twice as long. After a crash they are still
 * there; `close` takes them away.
 * @param isFresh whether it must not be there yet. @default it may be there or not
 */
export async function openSynced(path: string, { isFresh = false } = {}): Promise<SyncedFile> {
  const flags = constants.O_WRONLY | constants.O_CREAT
  const file = await opened(path, flags | syncFlag | (isFresh ? constants.O_EXCL : 0), 0o600)
  // Nobody waits for the zeros: they are synced once, when all of them are written.
  const ahead = await opened(path, flags)
  const from = (await stated(file)).size
  let end = from
  /** Where zeros end; what is appended never goes beyond while more of them are written. */
  let prepared = from
  let preparing: Promise<void> | undefined
  let isTight = false

  async function append(bytes: Uint8Array): Promise<void> {
    if (end + bytes.length > prepared) await preparing
    await writeWhole(file, bytes, end)
    if (!writesAreSynced) await synced(file)
    end += bytes.length
    prepared = Math.max(prepared, end)
    if (preparing === undefined && !isTight) prepareMore()
  }

  function prepareMore(): void {
    const wanted = Math.min(end - from, mostAhead)
    if (wanted < leastAhead || prepared - end > wanted / 2) return
    preparing = prepare(end + wanted).finally(() => {
      preparing = undefined
    })
  }

  async function prepare(until: number): Promise<void> {
    try {
      for (let at = prepared; at < until; at += zeros.length) {
        await writeWhole(ahead, zeros.subarray(0, until - at), at)
      }
      await synced(ahead)
      prepared = until
    } catch {
      // It goes without: whoever appends is told if there is no room for that either.
      isTight = true
      await truncated(ahead, prepared).catch(() => undefined)
    }
  }

  return {
    append,
    async close() {
      await preparing
      await truncated(file, end).catch(() => undefined)
      await Promise.all([closed(file), closed(ahead)])
    },
  }
}

async function writeWhole(file: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let from = 0; from < bytes.length; ) from += await writeSome(file, bytes, from, position + from)
}

function writeSome(file: number, bytes: Uint8Array, from: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(file, bytes, from, bytes.length - from, position, (error, written) => {
      if (error === null) resolve(written)
      else reject(error)
    })
  })
}
