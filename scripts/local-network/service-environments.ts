import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Configuration variables of one process. */
export type Variables = Record<string, string | number | boolean>

/** A value that cannot stand in an environment file. */
export class EnvironmentFileError extends Error {
  override name = 'EnvironmentFileError'
}

/**
 * Writes variables as `node --env-file` reads them (systemd's EnvironmentFile= reads these too).
 * Readable by its owner only, since URLs of databases hold passwords.
 */
export async function writeEnvironmentFile(file: string, variables: Variables): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${quoted(name, String(value))}\n`)
  await writeFile(file, lines.join(''), { mode: 0o600 })
  // The mode above counts only for a file that is new.
  await chmod(file, 0o600)
}

/** The format knows three kinds of quotes and no way to escape one. */
function quoted(name: string, value: string): string {
  if (/^[\w./:@,+-]*$/.test(value)) return value
  const quote = ["'", '"', '`'].find(
    (mark) => !value.includes(mark) && (mark !== '"' || !value.includes('\\')),
  )
  if (quote === undefined || value.includes('\n')) {
    throw new EnvironmentFileError(
      `${name} cannot be written to an environment file: ${JSON.stringify(value)}`,
    )
  }
  return `${quote}${value}${quote}`
}
