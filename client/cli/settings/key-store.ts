import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parsed } from '@hexachord/protocol/checked'
import { type Address, addressSchema } from '@hexachord/protocol/names'
import { decryptKey, encryptKey, type HeldKey, KeyError } from '@hexachord/sdk/keys'

export type KeyStore = {
  readonly path: string
  exists(): Promise<boolean>
  /** The file as it is: Web3 Secret Storage v3. @throws KeyError when there is none */
  read(): Promise<string>
  /** Whose key it is; no password is needed. @throws KeyError */
  address(): Promise<Address>
  /** @param password is asked for only when there is a key @throws KeyError */
  open(password: () => Promise<string>, onProgress?: (part: number) => void): Promise<HeldKey>
  /** Never over an existing key. @throws KeyError */
  save(key: HeldKey, password: string, onProgress?: (part: number) => void): Promise<void>
}

/** The one key of this user, encrypted, readable by nobody else. */
export function keyStore(directory: string): KeyStore {
  const path = join(directory, 'key.json')
  const read = async (): Promise<string> => {
    try {
      return await readFile(path, 'utf8')
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
      throw new KeyError(`there is no key at ${path}: make one with 'hexachord key new'`)
    }
  }
  return {
    path,
    read,
    async exists() {
      try {
        await read()
        return true
      } catch (error) {
        if (error instanceof KeyError) return false
        throw error
      }
    },
    address: async () => addressOf(await read(), path),
    async open(password, onProgress) {
      const json = await read()
      return decryptKey(json, await password(), onProgress)
    },
    async save(key, password, onProgress) {
      await writeOnce(directory, path, await encryptKey(key, password, onProgress))
    },
  }
}

function addressOf(json: string, path: string): Address {
  try {
    const { address } = JSON.parse(json)
    return parsed(addressSchema, `0x${String(address).replace(/^0x/, '').toLowerCase()}`)
  } catch (cause) {
    throw new KeyError(`${path} is no key file (Web3 Secret Storage v3)`, { cause })
  }
}

async function writeOnce(directory: string, path: string, text: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
    // Unlike rename, link fails when there is a key by now.
    await link(temporary, path)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    throw new KeyError(`there is a key at ${path} already: move it away first`)
  } finally {
    await file.close()
    await rm(temporary, { force: true })
  }
  const folder = await open(directory)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
