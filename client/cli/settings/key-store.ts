import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { decryptKey, encryptKey, type HeldKey, KeyError } from '@hexachord/sdk/keys'

export type KeyStore = {
  readonly path: string
  exists(): Promise<boolean>
  /** The file as it is: Web3 Secret Storage v3. @throws KeyError when there is none */
  read(): Promise<string>
  open(password: string, onProgress?: (part: number) => void): Promise<HeldKey>
  /** Never over an existing key. */
  save(key: HeldKey, password: string, onProgress?: (part: number) => void): Promise<void>
}

/** The one key of this user, encrypted, readable by nobody else. */
export function keyStore(directory: string): KeyStore {
  const path = join(directory, 'key.json')
  const read = async (): Promise<string> => {
    try {
      return await readFile(path, 'utf8')
    } catch (error) {
      if (!isMissing(error)) throw error
      throw new KeyError(`there is no key at ${path}: make one with 'hexachord key new'`)
    }
  }
  const exists = async (): Promise<boolean> => {
    try {
      await read()
      return true
    } catch (error) {
      if (error instanceof KeyError) return false
      throw error
    }
  }
  return {
    path,
    exists,
    read,
    open: async (password, onProgress) => decryptKey(await read(), password, onProgress),
    save: async (key, password, onProgress) => {
      if (await exists()) throw new KeyError(`there is a key at ${path} already: move it away first`)
      const json = await encryptKey(key, password, onProgress)
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const temporary = `${path}.${process.pid}.tmp`
      const file = await open(temporary, 'wx', 0o600)
      try {
        await file.writeFile(json)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
      await chmod(path, 0o600)
    },
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
