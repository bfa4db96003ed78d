import { statfs } from 'node:fs/promises'

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
