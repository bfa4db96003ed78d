import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DirectoryLocked } from '@hexachord/storage/ipfs'
import { lockDirectory } from '../../storage/ipfs/directory-lock.ts'
import { runProgram } from '../network/recordings.ts'
import type { Peer } from './debian.ts'

/** A program that Go builds from a module. */
export type GoProgram = {
  /** As it is spoken of. */
  readonly title: string
  readonly module: string
  readonly version: string
  /** Folder of the command within the module. */
  readonly command: string
}

/** Two shared cores take 5 minutes for a large one with an empty cache, half a minute when Go has built its parts before. */
const buildMs = 14 * 60_000
const downloadMs = 3 * 60_000

/**
 * A program built by Go from its module at its exact version, whose hash Go checks. It lies outside the checkout and is
 * built once; of runs that need it at once one builds and the others wait.
 */
export async function bringGoProgram(program: GoProgram): Promise<Peer> {
  const peer = await findOrBuild(program)
  if ('missing' in peer) process.stderr.write(`Tests with ${program.title} are skipped: ${peer.missing}\n`)
  return peer
}

async function findOrBuild(program: GoProgram): Promise<Peer> {
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'hexachord')
  const folder = path.join(cache, `${path.basename(program.module)}-${program.version}`)
  const binary = path.join(folder, path.basename(program.command))
  if (await isThere(binary)) return { path: binary }
  const go = await findGo()
  if (go === undefined) return { missing: 'Go is neither on the PATH nor in /usr/local/go' }
  try {
    await mkdir(folder, { recursive: true })
    const lock = await lockWithin(folder, buildMs)
    try {
      if (!(await isThere(binary))) await build(program, go, folder)
    } finally {
      lock.release()
    }
    return { path: binary }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { missing: reason.replaceAll(/\s+/g, ' ').slice(-200) }
  }
}

async function build(program: GoProgram, go: string, folder: string): Promise<void> {
  const { title, module, version, command } = program
  process.stderr.write(`Building ${title} ${version} with Go, once; it takes minutes\n`)
  const startMs = performance.now()
  const { output } = await runProgram(go, ['mod', 'download', '-json', `${module}@v${version}`], downloadMs)
  const { Dir: source } = JSON.parse(output) as { Dir: string }
  const draft = await mkdtemp(path.join(folder, 'draft-'))
  try {
    // In the module's own folder, since `go install PACKAGE@VERSION` also asks the proxy for the list of all versions.
    const install = [go, '-C', source, 'install', '-buildvcs=false', command]
    await runProgram('env', [`GOBIN=${draft}`, 'nice', ...install], buildMs)
    const binary = path.basename(command)
    await rename(path.join(draft, binary), path.join(folder, binary))
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  process.stderr.write(`Built ${title} ${version} in ${Math.round((performance.now() - startMs) / 1000)} s\n`)
}

async function lockWithin(folder: string, patienceMs: number) {
  for (const end = performance.now() + patienceMs; ; ) {
    try {
      return lockDirectory(folder)
    } catch (error) {
      if (!(error instanceof DirectoryLocked) || performance.now() > end) throw error
    }
    await delay(1_000)
  }
}

/** On the PATH, or where Go's own installer puts it. */
async function findGo(): Promise<string | undefined> {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/local/go/bin']
  for (const folder of folders) {
    const file = path.join(folder, 'go')
    if (folder !== '' && (await isThere(file))) return file
  }
  return undefined
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
