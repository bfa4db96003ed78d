import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { subjectSchema } from '@hexachord/protocol/names'
import type { SavedUpload, UploadMemory } from '@hexachord/sdk/uploading'
import * as z from 'zod'

/** Uploads that are remembered; the one begun first is forgotten first. */
const maximumUploads = 100

const fileSchema = z.record(
  z.string(),
  z.object({ subject: subjectSchema, node: z.string(), url: z.string() }),
)

/** Uploads that are under way, in one small file, so that the same command goes on after a crash. */
export function fileUploadMemory(directory: string): UploadMemory {
  const path = join(directory, 'uploads.json')
  const read = async () => parse(await readIfThere(path))
  const write = async (all: [string, SavedUpload][]): Promise<void> => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const temporary = `${path}.${process.pid}.tmp`
    await writeFile(temporary, JSON.stringify(Object.fromEntries(all.slice(-maximumUploads))), {
      mode: 0o600,
    })
    await rename(temporary, path)
  }
  const others = async (key: string) => (await read()).filter(([name]) => name !== key)
  return {
    load: async (key) => (await read()).find(([name]) => name === key)?.[1],
    save: async (key, saved) => write([...(await others(key)), [key, saved]]),
    forget: async (key) => write(await others(key)),
  }
}

/** A damaged file costs a fresh start of one upload, never the upload itself. */
function parse(text: string): [string, SavedUpload][] {
  try {
    return Object.entries(fileSchema.safeParse(JSON.parse(text)).data ?? {})
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
