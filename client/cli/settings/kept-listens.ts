import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Listen } from '@hexachord/sdk/listening'

/** Listens that are still to be told of: as many as a long journey has. The oldest are let go of first. */
const maximumKept = 1_000

export type KeptListens = {
  keep(listen: Listen): Promise<void>
  /** Oldest first. */
  list(): Promise<readonly { readonly name: string; readonly listen: Listen }[]>
  forget(names: readonly string[]): Promise<void>
}

/** One file each, readable by nobody else, so that two commands at a time are in no one's way. */
export function keptListens(directory: string): KeptListens {
  const folder = join(directory, 'listens')
  const names = async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return (await readdir(folder)).filter((name) => /^\d{15}-[0-9a-f]{12}\.json$/.test(name)).sort()
  }
  const forget = async (those: readonly string[]) => {
    for (const name of those) await rm(join(folder, name), { force: true })
  }
  return {
    forget,
    async keep(listen) {
      const kept = await names()
      await forget(kept.slice(0, Math.max(0, kept.length + 1 - maximumKept)))
      const name = `${String(listen.listenedAtMs).padStart(15, '0')}-${randomBytes(6).toString('hex')}.json`
      await writeFile(join(folder, name), JSON.stringify(listen), { mode: 0o600, flag: 'wx', flush: true })
    },
    async list() {
      const found = []
      for (const name of await names()) {
        const listen = await readListen(join(folder, name))
        if (listen !== undefined) found.push({ name, listen })
      }
      return found
    },
  }
}

/** Undefined for what another command has sent meanwhile, or what a crash has left half written. */
async function readListen(path: string): Promise<Listen | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Listen
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (isGone || error instanceof SyntaxError) return undefined
    throw error
  }
}
