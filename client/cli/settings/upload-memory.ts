import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checked } from '@hexachord/protocol/checked'
import { type SavedUpload, savedUploadSchema, type UploadMemory } from '@hexachord/sdk/uploading'
import * as z from 'zod'

/** Uploads that are remembered; the one that was touched longest ago is forgotten first. */
const defaultMaximumUploads = 2000

const fileSchema = z.object({ key: z.string(), saved: savedUploadSchema })

export type FileMemory = Required<UploadMemory>

/** Uploads that are under way, one small file each, so that the same command goes on after a crash, and several
 * commands at a time do not get into each other's way. */
export function fileUploadMemory(directory: string, maximumUploads = defaultMaximumUploads): FileMemory {
  const folder = join(directory, 'uploads')
  const pathOf = (key: string) =>
    join(folder, `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`)
  return {
    load: async (key) => (await readOne(pathOf(key)))?.saved,
    async save(key, saved) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const path = pathOf(key)
      const temporary = `${path}.${randomUUID()}.tmp`
      await writeFile(temporary, JSON.stringify({ key, saved }), { mode: 0o600 })
      await rename(temporary, path)
      await forgetOldest(folder, maximumUploads)
    },
    forget: (key) => rm(pathOf(key), { force: true }),
    async list() {
      const entries = await Promise.all((await namesIn(folder)).map((name) => readOne(join(folder, name))))
      return entries.filter((entry) => entry !== undefined)
    },
  }
}

/** A damaged file costs a fresh start of one upload, never the upload itself. */
async function readOne(path: string): Promise<{ key: string; saved: SavedUpload } | undefined> {
  try {
    return checked(fileSchema, JSON.parse(await readFile(path, 'utf8'))).data
  } catch (error) {
    if (error instanceof SyntaxError || isMissing(error)) return undefined
    throw error
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.json'))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function forgetOldest(folder: string, maximumUploads: number): Promise<void> {
  const names = await namesIn(folder)
  if (names.length <= maximumUploads) return
  const ages = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name)
      const info = await stat(path).catch(() => undefined)
      return { path, touchedMs: info?.mtimeMs ?? 0 }
    }),
  )
  ages.sort((one, other) => one.touchedMs - other.touchedMs)
  for (const { path } of ages.slice(0, names.length - maximumUploads)) await rm(path, { force: true })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
