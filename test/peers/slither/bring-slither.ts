import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { runProgram } from '../../network/recordings.ts'
import type { Peer } from '../debian.ts'

/** Exact, with the part that understands what a compiler says. */
const packages = ['slither-analyzer==0.11.6', 'crytic-compile==0.4.2']
const installMs = 8 * 60_000

/** Slither from PyPI, outside the checkout and fetched once: a folder for PYTHONPATH; or why it cannot be had here. */
export async function bringSlither(): Promise<Peer> {
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'hexachord')
  const folder = path.join(cache, packages.join('-'))
  if (await isThere(folder)) return { path: folder }
  try {
    await mkdir(cache, { recursive: true })
    await install(await mkdtemp(path.join(cache, 'slither-draft-')), folder)
    return { path: folder }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const peer = { missing: reason.replaceAll(/\s+/g, ' ').slice(-200) }
    process.stderr.write(`Slither is skipped: ${peer.missing}\n`)
    return peer
  }
}

async function install(draft: string, folder: string): Promise<void> {
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', draft]
    await runProgram('python3', [...pip, ...packages], installMs)
    // Of two that fetched it at once, the earlier's stays.
    if (!(await isThere(folder))) await rename(draft, folder)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
