import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Corrupt blocks, out of the store and kept for a person to look at: the newest of them. */
export type Quarantine = {
  /** Takes a block's file; one that is gone already is no error. */
  move(cid: string, file: string): Promise<void>
  /** Writes down what a block had become. */
  save(cid: string, bytes: Uint8Array): Promise<void>
}

/** Evidence of failing disks, not an archive. */
const limit = 100

/** The folder `quarantine` of a node's directory, made when it is not there. */
export async function openQuarantine(directory: string): Promise<Quarantine> {
  const folder = join(directory, 'quarantine')
  await mkdir(folder, { recursive: true })
  const placeOf = (cid: string) => join(folder, `${cid}-${Date.now()}`)

  return {
    async move(cid, file) {
      try {
        await rename(file, placeOf(cid))
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
      }
      await keepNewest(folder)
    },
    async save(cid, bytes) {
      await writeFile(placeOf(cid), bytes)
      await keepNewest(folder)
    },
  }
}

async function keepNewest(folder: string): Promise<void> {
  const names = await readdir(folder)
  if (names.length <= limit) return
  const timeOf = (name: string) => Number(name.slice(name.lastIndexOf('-') + 1))
  const oldest = names.sort((a, b) => timeOf(a) - timeOf(b)).slice(0, names.length - limit)
  for (const name of oldest) await rm(join(folder, name), { force: true })
}
