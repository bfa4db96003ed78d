import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createKey, type HeldKey, keyFromPrivateKey } from '@hexachord/sdk/keys'

/** A key of somebody who uses a local network: made once, kept with the network's other keys, in the clear since it is
 * worth nothing anywhere else. @param name `artist` publishes */
export async function localKey(
  directory: string,
  name: 'artist' | 'listener' | 'second-payee',
): Promise<HeldKey> {
  const file = path.join(directory, 'keys', `${name}.key`)
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
