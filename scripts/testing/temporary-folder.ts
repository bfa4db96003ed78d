import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

export type TemporaryFolder = { path: string; remove(): Promise<void> }

/** A folder of its own for one test. As root, Postgres (which runs as nobody) may pass through it. */
export async function makeTemporaryFolder(): Promise<TemporaryFolder> {
  const folder = await mkdtemp(path.join(await realpath(tmpdir()), 'hexachord-'))
  await chmod(folder, 0o711)
  return {
    path: folder,
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
