import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Wallet } from 'ethers'

/** The account whose private key is kept in `file` (`0x…`, mode 0600); made on first use. */
export async function readOrMakeKey(file: string): Promise<Wallet> {
  try {
    return new Wallet((await readFile(file, 'utf8')).trim())
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const { privateKey } = Wallet.createRandom()
  await writeFile(file, `${privateKey}\n`, { mode: 0o600, flag: 'wx' })
  return new Wallet(privateKey)
}
