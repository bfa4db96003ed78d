import { access, chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProgram } from '../network/recordings.ts'

/** Something that others made: where it is, or why it cannot be had on this machine. */
export type Peer = { readonly path: string } | { readonly missing: string }

const aptMs = 240_000
/** With our other state, out of git and out of the way of `--reset`: what was fetched once is not fetched again. */
const cache = fileURLToPath(new URL('../../.hexachord/peers', import.meta.url))

/** A program, installed by apt when it is not there and we are root. */
export async function program(name: string, debianPackage = name): Promise<Peer> {
  const known = await pathOf(name)
  if (known !== undefined) return { path: known }
  if (process.getuid?.() !== 0) return { missing: `install it first: sudo apt-get install ${debianPackage}` }
  const apt = [
    '-q',
    '-o',
    'DPkg::Lock::Timeout=120',
    'install',
    '-y',
    '--no-install-recommends',
    debianPackage,
  ]
  try {
    await runProgram('env', ['DEBIAN_FRONTEND=noninteractive', 'apt-get', ...apt], aptMs)
  } catch (error) {
    return { missing: reasonOf(error) }
  }
  const installed = await pathOf(name)
  return installed === undefined ? { missing: `${debianPackage} brings no ${name}` } : { path: installed }
}

/** The files of a Debian package, unpacked and not installed. */
export async function packageFiles(name: string): Promise<Peer> {
  const target = path.join(cache, name)
  if (await exists(target)) return { path: target }
  await mkdir(cache, { recursive: true })
  const draft = await mkdtemp(path.join(cache, 'draft-'))
  try {
    // apt fetches as its own account where it can.
    await chmod(draft, 0o777)
    await runProgram(
      'sh',
      ['-c', 'cd "$1" && apt-get -q download "$2" && dpkg-deb -x ./*.deb files', 'sh', draft, name],
      aptMs,
    )
    await rename(path.join(draft, 'files'), target)
    return { path: target }
  } catch (error) {
    return { missing: reasonOf(error) }
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** For the name of a test that cannot run here, so that the report tells why. */
export function whyMissing(peer: Peer): string {
  return 'missing' in peer ? ` (NOT INSTALLED: ${peer.missing})` : ''
}

async function pathOf(name: string): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(directory, name)
    if (directory !== '' && (await exists(file))) return file
  }
  return undefined
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replaceAll(/\s+/g, ' ').slice(0, 200)
}
