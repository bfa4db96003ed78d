import { mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'

/**
 * Copies files from a plain HTTP server into a folder. Each is synced, gets its name only then, and then the folder
 * is synced, as a block store does; nothing is verified. As many folders as a block store would spread them over.
 * @param options.atOnce files on their way at one time
 */
export async function copyPlainly(options: {
  origin: string
  names: readonly string[]
  folder: string
  atOnce: number
  signal: AbortSignal
}): Promise<void> {
  const { origin, names, folder, signal } = options
  const limit = pLimit(options.atOnce)
  await mkdir(join(folder, 'incoming'), { recursive: true })
  const made = new Map<string, Promise<unknown>>()

  async function copy(name: string): Promise<void> {
    const response = await fetch(`${origin}/ipfs/${name}`, { signal })
    if (!response.ok) throw new Error(`${response.url} answers ${response.status}`)
    const bytes = new Uint8Array(await response.arrayBuffer())
    const shard = join(folder, name.slice(-3, -1))
    const making = made.get(shard) ?? mkdir(shard).then(() => sync(folder))
    made.set(shard, making)
    await making
    const temporary = join(folder, 'incoming', name)
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(bytes)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, join(shard, name))
    await sync(shard)
  }

  await Promise.all(names.map((name) => limit(() => copy(name))))
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
