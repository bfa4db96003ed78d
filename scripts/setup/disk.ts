import { statfs } from 'node:fs/promises'
import { SetupError } from './setup-error.ts'

/** A sample track with its renditions on four nodes, the databases and the packages fit in half of this. */
export const minimumFreeBytes = 2 * 1024 ** 3

/** Throws SetupError when `directory` lies on a disk with less than `minimumBytes` free for this user. */
export async function checkDisk(directory: string, minimumBytes = minimumFreeBytes): Promise<void> {
  const disk = await statfs(directory)
  const freeBytes = disk.bavail * disk.bsize
  if (freeBytes < minimumBytes) {
    throw new SetupError(
      `${inGibibytes(freeBytes)} GiB are free in ${directory}; ${inGibibytes(minimumBytes)} GiB are needed. Free some space and run this again.`,
    )
  }
}

function inGibibytes(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1)
}
