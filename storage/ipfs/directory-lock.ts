import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DirectoryLocked } from './ipfs-node.ts'

export type DirectoryLock = { release(): void }

/** SQLITE_BUSY, https://www.sqlite.org/rescode.html */
const sqliteBusy = 5

/**
 * Makes this process the only one on the directory until it ends or calls `release`.
 *
 * The lock is SQLite's on an empty database: the kernel drops it with the process, however that ends, so there is
 * never a stale one to judge. The pid beside it is for the message only.
 * @throws DirectoryLocked
 */
export function lockDirectory(directory: string): DirectoryLock {
  const pidFile = join(directory, 'lock.pid')
  const database = new DatabaseSync(join(directory, 'lock.sqlite'), { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isBusy(error)) throw new DirectoryLocked(directory, readPid(pidFile))
    throw error
  }
  writeFileSync(pidFile, `${process.pid}\n`)
  return {
    release() {
      if (!database.isOpen) return
      rmSync(pidFile, { force: true })
      database.close()
    },
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10)
    return Number.isInteger(pid) ? pid : undefined
  } catch (error) {
    // The holder has the lock but has not written its pid yet, or is just letting go.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
