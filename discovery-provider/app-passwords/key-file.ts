import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ConfigError, checkKeyFile } from '@hexachord/platform/process'

const keyBytes = 32

/**
 * A secret of this provider, made at the first start. Providers that share a database share it, too; without it all that
 * was made with it is lost.
 * @param variable of the configuration, for errors
 * @returns 32 bytes
 * @throws ConfigError when the file can be read by others, or holds something else
 */
export async function openKeyFile(file: string, variable: string): Promise<Buffer> {
  await makeKey(file)
  const problem = checkKeyFile(file)
  if (problem !== null) throw new ConfigError([{ variable, problem }])
  const text = (await readFile(file, 'utf8')).trim()
  if (!/^[0-9a-f]{64}$/.test(text)) {
    const wrong = `holds no key (64 hex digits): ${file}; move it away, and a new one is made`
    throw new ConfigError([{ variable, problem: wrong }])
  }
  return Buffer.from(text, 'hex')
}

/** Makes a key where there is none. A link is made whole or not at all, whoever else does the same. */
async function makeKey(file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, `${randomBytes(keyBytes).toString('hex')}\n`, {
    mode: 0o600,
    flag: 'wx',
    flush: true,
  })
  try {
    await link(draft, file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    await rm(draft, { force: true })
  }
}
