import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** The password kept in `file` (mode 0600), made up on first use; `isNew` when it was made up just now. */
export async function readOrMakePassword(file: string): Promise<{ password: string; isNew: boolean }> {
  try {
    return { password: (await readFile(file, 'utf8')).trim(), isNew: false }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  await mkdir(path.dirname(file), { recursive: true })
  const password = randomBytes(24).toString('base64url')
  await writeFile(file, `${password}\n`, { mode: 0o600, flag: 'wx' })
  return { password, isNew: true }
}
