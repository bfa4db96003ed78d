import { open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { syncDirectory } from '../../ipfs/durable-file.ts'
import { frameOf, readFrames } from './frames.ts'
import { openSynced, type SyncedFile } from './synced-file.ts'

/** What was said to be done, on the disk. */
export type Journal = {
  /** Puts a record behind all others. It is durable when a `durable()` that is called afterwards resolves. */
  append(record: string): void
  /** Resolves when everything that was appended is on the disk; everybody who waits shares one write. @throws JournalFull */
  durable(): Promise<void>
  /** Whether what is appended now could become durable: to be asked before anything is done. @throws JournalFull */
  requireRoom(): void
  /** Bytes of the file that no loss of power takes away. */
  syncedBytes(): number
  close(): Promise<void>
}

export type JournalOptions = {
  /** It is there already. */
  readonly directory: string
  /** The first record: whose journal it is. A file that begins otherwise is not touched. */
  readonly header: string
  /** Called with each record that is there, in order, before `openJournal` resolves. */
  readonly replay: (record: string) => void
  /** Records that stand for all that were appended or replayed until now. */
  readonly snapshot: () => Iterable<string>
  /** Whether somebody is about to append, so that a write may wait for it. @default nobody ever is */
  readonly isMoreComing?: () => boolean
  readonly logger: Pick<Logger, 'warn' | 'error' | 'info'>
  /** It is written anew when it is this long, and at least twice as long as it was then: beside it, while others go on.
   * Everybody waits only until what is kept is put together; 64 MiB are read in a second when a till is opened.
   * @default 64 MiB */
  readonly rewriteBytes?: number
  /** After a write has begun, what follows within so many ms is gathered, and then for as long, unless nothing more comes:
   * each write takes the processor for longer than the request that it is for, whatever its length. @default 1 */
  readonly gatheringMs?: number
  /** Between two tries while nothing can be written, in ms. @default 1 s */
  readonly retryMs?: number
}

/** What is to take the place of a journal that has become long: all that counts, and what is appended meanwhile. */
type Successor = {
  /** Undefined when it could not be written. */
  readonly written: Promise<SyncedFile | undefined>
  readonly bytes: number
  /** Appended to the one before since then. */
  readonly since: Buffer[]
  isWritten: boolean
}

/** Nothing can be written now, because the disk is full or fails. What was appended is kept and tried again. */
export class JournalFull extends Error {
  override readonly name = 'JournalFull'
}

/** The file is somebody else's. */
export class JournalForeign extends Error {
  override readonly name = 'JournalForeign'
}

const fileName = 'till.journal'
const notShorter = 'a shorter journal could not be written; this one goes on'
const defaultRewriteBytes = 64 * 1024 * 1024
const defaultRetryMs = 1_000
const defaultGatheringMs = 1
/** What may wait for the disk; more comes only where it stands still. */
const mostWaitingBytes = 16 * 1024 * 1024

/**
 * Opens a journal, or begins one. What was torn at its end is cut off: nobody was told that it was done.
 * It is kept beside the journal, since a disk that damages what it has looks the same.
 *
 * A write that fails is never tried again on the same file: after a failed fdatasync nobody knows what of it is on the
 * disk (https://lwn.net/Articles/752063/). The journal is written anew beside it instead, from `snapshot`.
 * @throws JournalForeign, and what the file system gives
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { directory, header, logger, rewriteBytes = defaultRewriteBytes, retryMs = defaultRetryMs } = options
  const { gatheringMs = defaultGatheringMs, isMoreComing = () => false } = options
  const path = join(directory, fileName)
  let synced = await replay()
  let file: SyncedFile | undefined
  let successor: Successor | undefined
  /** From here on it is long. */
  let longBytes = rewriteBytes

  let waiting: Buffer[] = []
  let waitingBytes = 0
  let next = createPromise()
  let underWay = Promise.resolve()
  let writing: Promise<void> | undefined
  let failure: unknown
  let retry: NodeJS.Timeout | undefined
  let isClosed = false
  /** When the last write began. */
  let begunAt = 0
  /** Called where `isMoreComing` may have changed. */
  let look: (() => void) | undefined

  if (synced === 0) await rewrite()
  else file = await openSynced(path)

  /** @returns bytes that are whole */
  async function replay(): Promise<number> {
    await rm(`${path}.new`, { force: true })
    const bytes = await readFile(path).catch(emptyIfMissing)
    let isFirst = true
    const whole = readFrames(bytes, (record) => {
      if (isFirst && record !== header) throw foreign(path, `that begins with ${record.slice(0, 200)}`)
      if (!isFirst) options.replay(record)
      isFirst = false
    })
    if (bytes.length === 0) return 0
    // The first record came with the file itself.
    if (whole === 0) throw foreign(path, 'whose first record is damaged')
    const rest = bytes.subarray(whole)
    // Zeros stood ready for what did not come any more. What else is there was torn, or the disk has damaged it.
    if (!rest.equals(Buffer.alloc(rest.length))) {
      const torn = `${path}.torn-at-${whole}`
      logger.warn({ torn, bytes: rest.length }, 'the end of the journal was torn; what is cut off is kept')
      await writeFile(torn, rest, { mode: 0o600, flush: true })
    }
    const file = await open(path, 'r+')
    try {
      if (rest.length > 0) await file.truncate(whole)
      // What was read may not have come to the disk.
      await file.datasync()
    } finally {
      await file.close()
    }
    return whole
  }

  function wholeJournal(): Buffer {
    const frames = [frameOf(header)]
    for (const record of options.snapshot()) frames.push(frameOf(record))
    return Buffer.concat(frames)
  }

  /** @throws what the file system gives; then nothing is left of it */
  async function writeBeside(bytes: Buffer): Promise<SyncedFile> {
    await rm(`${path}.new`, { force: true })
    const fresh = await openSynced(`${path}.new`, { isFresh: true })
    try {
      await fresh.append(bytes)
      return fresh
    } catch (error) {
      await leave(fresh)
      throw error
    }
  }

  async function leave(fresh: SyncedFile): Promise<void> {
    await fresh.close()
    await rm(`${path}.new`, { force: true })
  }

  /** What was written beside the journal is it from now on. */
  async function takePlace(fresh: SyncedFile, bytes: number): Promise<void> {
    try {
      await rename(`${path}.new`, path)
      await syncDirectory(directory)
    } catch (error) {
      await leave(fresh)
      throw error
    }
    await file?.close()
    file = fresh
    synced = bytes
    longBytes = Math.max(rewriteBytes, 2 * bytes)
  }

  /** Writes all of it to a new file, for which everybody waits. */
  async function rewrite(): Promise<void> {
    const bytes = wholeJournal()
    const before = successor
    successor = undefined
    await before?.written.then((fresh) => fresh && leave(fresh))
    await takePlace(await writeBeside(bytes), bytes.length)
  }

  /** Nobody waits for the disk meanwhile: what is appended goes on to be written where it was. */
  function beginSuccessor(): Successor {
    const bytes = wholeJournal()
    const written = writeBeside(bytes)
      .catch((err: unknown) => {
        logger.warn({ err, path }, notShorter)
        return undefined
      })
      .finally(() => {
        begun.isWritten = true
      })
    const begun: Successor = { written, bytes: bytes.length, since: [], isWritten: false }
    return begun
  }

  async function succeed({ written, bytes, since }: Successor): Promise<void> {
    const fresh = await written
    successor = undefined
    if (fresh === undefined) {
      longBytes = synced + rewriteBytes
      return
    }
    const rest = Buffer.concat(since)
    try {
      await fresh.append(rest)
    } catch (error) {
      await leave(fresh)
      throw error
    }
    await takePlace(fresh, bytes + rest.length)
  }

  async function writeDown(bytes: Buffer): Promise<void> {
    // What waits has happened already, and so stands in the snapshot.
    if (failure !== undefined || file === undefined) return rewrite()
    if (successor !== undefined) successor.since.push(bytes)
    else if (synced + bytes.length > longBytes) successor = beginSuccessor()
    await file.append(bytes)
    synced += bytes.length
    if (successor?.isWritten) await succeed(successor)
  }

  async function writeAll(): Promise<void> {
    do {
      // What else happens meanwhile goes into the same write.
      await gathered()
      begunAt = performance.now()
      const [bytes, batch] = [Buffer.concat(waiting), next]
      waiting = []
      waitingBytes = 0
      next = createPromise()
      underWay = batch.promise
      try {
        await writeDown(bytes)
        if (failure !== undefined) logger.info({ path }, 'the journal can be written again')
        failure = undefined
        batch.resolve()
      } catch (cause) {
        if (failure === undefined) logger.error({ err: cause, path }, 'the journal cannot be written')
        failure = cause
        batch.reject(full(cause))
        scheduleRetry()
      }
    } while (waiting.length > 0 && failure === undefined)
    writing = undefined
  }

  /** Where nothing was written lately, or nothing more comes, this takes no longer than a turn of the event loop. */
  async function gathered(): Promise<void> {
    if (performance.now() - begunAt < gatheringMs && isMoreComing()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, gatheringMs)
      look = () => {
        if (!isMoreComing()) resolve()
      }
      await promise
      look = undefined
      clearTimeout(timer)
    }
    await nextTurn()
  }

  function start(): void {
    writing ??= writeAll()
  }

  function scheduleRetry(): void {
    if (isClosed) return
    retry = setTimeout(start, retryMs)
    retry.unref()
  }

  return {
    append(record) {
      const frame = frameOf(record)
      waiting.push(frame)
      waitingBytes += frame.length
      if (failure === undefined) start()
      look?.()
    },
    durable() {
      if (failure !== undefined) return Promise.reject(full(failure))
      return waiting.length > 0 ? next.promise : underWay
    },
    requireRoom() {
      if (failure !== undefined) throw full(failure)
      if (waitingBytes > mostWaitingBytes) throw new JournalFull('the disk does not keep up')
    },
    syncedBytes: () => synced,
    async close() {
      isClosed = true
      clearTimeout(retry)
      while (writing !== undefined) await writing
      // Where that fails the journal before is whole all the same.
      if (successor !== undefined)
        await succeed(successor).catch((err: unknown) => logger.warn({ err, path }, notShorter))
      await file?.close()
    },
  }
}

function createPromise() {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // Whoever waits hears of it; where nobody does, the log does.
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}

function full(cause: unknown): JournalFull {
  return new JournalFull('what was paid cannot be written down now', { cause })
}

function foreign(path: string, found: string): JournalForeign {
  return new JournalForeign(
    `${path} is the journal of another till, or one ${found}; give this one a directory of its own`,
  )
}

function emptyIfMissing(error: NodeJS.ErrnoException): Buffer {
  if (error.code === 'ENOENT') return Buffer.alloc(0)
  throw error
}
