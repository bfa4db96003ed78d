import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createKey, type HeldKey, keyFromPrivateKey } from '@hexachord/sdk/keys'

/** The key that publishes in a local network: made once, kept with the network's other keys, in the clear
 * since it is worth nothing anywhere else. */
export async function artistKey(directory: string): Promise<HeldKey> {
  const file = path.join(directory, 'keys', 'artist.key')
  try {
    return keyFromPrivateKey((await readFile(file, 'utf8')).trim())
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const key = createKey()
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(file, `${key.privateKey}\n`, { mode: 0o600, flag: 'wx' })
  return key
}
