import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { checked, parsed } from '@hexachord/protocol/checked'
import { type Address, addressSchema } from '@hexachord/protocol/names'
import { decryptKey, encryptKey, type HeldKey, inNameOf, KeyError } from '@hexachord/sdk/keys'

export type KeyStore = {
  readonly path: string
  exists(): Promise<boolean>
  /** The file as it is: Web3 Secret Storage v3. @throws KeyError when there is none */
  read(): Promise<string>
  /** The key's own; no password is needed. @throws KeyError */
  address(): Promise<Address>
  /** In whose name it signs: its own, or that of an author whose keys were rotated to it. @throws KeyError */
  author(): Promise<Address>
  /** The key itself: for money, and what the chain says belongs to it.
   * @param password is asked for only when there is a key @throws KeyError */
  open(password: () => Promise<string>, onProgress?: (part: number) => void): Promise<HeldKey>
  /** The key as it signs what its author does. @throws KeyError */
  openAuthor(password: () => Promise<string>): Promise<HeldKey>
  /** Never over an existing key. @param author in whose name it signs @throws KeyError */
  save(
    key: HeldKey,
    password: string,
    options?: { author?: Address | undefined; onProgress?: (part: number) => void },
  ): Promise<void>
  /** Says in whose name the key signs from now on. @throws KeyError */
  setAuthor(author: Address): Promise<void>
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
  const openKey: KeyStore['open'] = async (password, onProgress) => {
    const json = await read()
    return decryptKey(json, await password(), onProgress)
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
    author: async () => authorIn(await read(), path),
    open: openKey,
    async openAuthor(password) {
      const key = await openKey(password)
      return inNameOf(key, authorIn(await read(), path))
    },
    async save(key, password, { author = key.address, onProgress } = {}) {
      const text = await encryptKey(key, password, onProgress)
      await writeOnce(directory, path, author === key.address ? text : inFileOf(text, author))
    },
    async setAuthor(author) {
      const text = inFileOf(await read(), author)
      await withTemporary(directory, path, text, (temporary) => rename(temporary, path))
    },
  }
}

/** Web3 Secret Storage leaves room for what other programs leave alone: so it moves with the key. */
const authorField = 'x-hexachord-author'

function inFileOf(json: string, author: Address): string {
  return JSON.stringify({ ...JSON.parse(json), [authorField]: author })
}

/** The author in whose name a key file's key signs. @throws KeyError */
export function authorIn(json: string, path: string): Address {
  const own = addressOf(json, path)
  const { [authorField]: author = own } = JSON.parse(json)
  const result = checked(addressSchema, author)
  if (result.success) return result.data
  throw new KeyError(`${path} names no author such as 0x… under ${authorField}`)
}

/** Puts one key in the place of another, which is kept in a folder of its own, that can be used as HEXACHORD_HOME. At every
 * moment there is a key.
 * @returns that folder */
export async function replaceKey(directory: string, next: KeyStore): Promise<string> {
  const store = keyStore(directory)
  const kept = join(directory, `before-${await store.address()}`)
  await mkdir(kept, { recursive: true, mode: 0o700 })
  await link(store.path, join(kept, 'key.json')).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error
  })
  await syncFolder(kept)
  await rename(next.path, store.path)
  await syncFolder(directory)
  return kept
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
  await withTemporary(directory, path, text, async (temporary) => {
    try {
      // Unlike rename, link fails when there is a key by now.
      await link(temporary, path)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
      throw new KeyError(`there is a key at ${path} already: move it away first`)
    }
  })
}

async function withTemporary(
  directory: string,
  path: string,
  text: string,
  settle: (temporary: string) => Promise<void>,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
    await settle(temporary)
  } finally {
    await file.close()
    await rm(temporary, { force: true })
  }
  await syncFolder(directory)
}

async function syncFolder(directory: string): Promise<void> {
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
