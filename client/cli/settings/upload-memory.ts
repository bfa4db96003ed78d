import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { UploadMemory } from '@hexachord/sdk/uploading'

type Saved = Awaited<ReturnType<UploadMemory['load']>>

/** Uploads that are under way, in one small file, so that the same command goes on after a crash. */
export function fileUploadMemory(directory: string): UploadMemory {
  const path = join(directory, 'uploads.json')
  const read = async (): Promise<Record<string, Saved>> => {
    try {
      return JSON.parse(await readFile(path, 'utf8'))
    } catch (error) {
      // A damaged file costs a fresh start of one upload, never the upload itself.
      if (
        error instanceof SyntaxError ||
        (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      )
        return {}
      throw error
    }
  }
  const write = async (all: Record<string, Saved>): Promise<void> => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writeFile(`${path}.tmp`, JSON.stringify(all), { mode: 0o600 })
    await rename(`${path}.tmp`, path)
  }
  return {
    load: async (fingerprint) => (await read())[fingerprint],
    save: async (fingerprint, saved) => write({ ...(await read()), [fingerprint]: saved }),
    forget: async (fingerprint) => {
      const { [fingerprint]: _, ...rest } = await read()
      await write(rest)
    },
  }
}
