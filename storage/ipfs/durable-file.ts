import { open, rename } from 'node:fs/promises'

/** Writes a file that is not there yet and waits until its bytes are on the disk. Its name may not be yet. */
export async function writeSynced(path: string, bytes: Uint8Array, mode = 0o644): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(bytes)
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** Waits until the names in a directory are on the disk: a rename is durable only then, fsync(2). */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Gives a synced file its place, so that a crash leaves either nothing or all of it there. */
export async function moveDurably(from: string, to: string, directory: string): Promise<void> {
  await rename(from, to)
  await syncDirectory(directory)
}
