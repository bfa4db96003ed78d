import { statfs } from 'node:fs/promises'
import { isDatabaseFull } from '@hexachord/platform/sqlite'
import { StorageFull } from '@hexachord/storage/ipfs'
import { OutputCutShort } from '../transcoding/index.ts'

/**
 * Bytes that new uploads may take: what the disk has free, less a floor that stays free whatever happens, less what
 * other uploads were promised.
 */
export async function freeBytes(options: {
  directory: string
  floorBytes: number
  promisedBytes: () => number
}): Promise<number> {
  const { bavail, bsize } = await statfs(options.directory)
  return bavail * bsize - options.floorBytes - options.promisedBytes()
}

/** Deepest chain of causes that is followed. */
const causesFollowed = 5

/** Whether a failure comes of a disk without room: in a write of ours, of the database, or of a program that we ran. */
export function isDiskFull(error: unknown): boolean {
  let cause = error
  for (let depth = 0; depth < causesFollowed && cause instanceof Error; depth++) {
    if (cause instanceof StorageFull || cause instanceof OutputCutShort || isDatabaseFull(cause)) return true
    if ('code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')) return true
    if ('stderr' in cause && String(cause.stderr).includes('No space left on device')) return true
    cause = cause.cause
  }
  return false
}
