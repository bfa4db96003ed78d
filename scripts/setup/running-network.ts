import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { processStart } from './process-identity.ts'
import { SetupError } from './setup-error.ts'

const fileName = 'network.pid'

/** A network that runs from a directory already; the message names its process. */
export class NetworkRunningError extends SetupError {
  override name = 'NetworkRunningError'
  readonly pid: number

  constructor(pid: number, directory: string) {
    super(
      `A local network already runs from ${directory} (pid ${pid}). Stop it first: press Ctrl-C there, or kill ${pid}`,
    )
    this.pid = pid
  }
}

/** The pid of the process whose network lives in `directory`, or undefined when none runs. */
export function findRunningNetwork(directory: string): number | undefined {
  const owner = readOwner(path.join(directory, fileName))
  if (owner === undefined || processStart(owner.pid) !== owner.start) return undefined
  return owner.pid
}

export type Claim = {
  /** Whether the last owner died without releasing it: its processes may still be on their way out. */
  afterCrash: boolean
  release(): void
}

/**
 * Makes this process the owner of the network in `directory`. Throws NetworkRunningError when a living
 * process owns it. A claim left by a dead one is replaced.
 */
export function claimNetwork(directory: string): Claim {
  mkdirSync(directory, { recursive: true })
  const file = path.join(directory, fileName)
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify({ pid: process.pid, start: processStart(process.pid) })}\n`)
  let afterCrash = false
  try {
    // link() fails when the name exists, so of two processes that start at once exactly one wins.
    while (!tryLink(draft, file)) {
      const running = findRunningNetwork(directory)
      if (running !== undefined) throw new NetworkRunningError(running, directory)
      moveStaleAside(directory, file)
      afterCrash = true
    }
  } finally {
    rmSync(draft, { force: true })
  }
  return {
    afterCrash,
    release() {
      if (readOwner(file)?.pid === process.pid) rmSync(file, { force: true })
    },
  }
}

function moveStaleAside(directory: string, file: string): void {
  const aside = `${file}.stale.${process.pid}`
  if (!ifExists(() => renameSync(file, aside))) return
  const owner = readOwner(aside)
  // Another process may have replaced the stale claim between our look and our rename: give it back.
  if (owner !== undefined && processStart(owner.pid) === owner.start) tryLink(aside, file)
  rmSync(aside, { force: true })
  const running = findRunningNetwork(directory)
  if (running !== undefined) throw new NetworkRunningError(running, directory)
}

function readOwner(file: string): { pid: number; start: string } | undefined {
  let text = ''
  if (!ifExists(() => (text = readFileSync(file, 'utf8')))) return undefined
  try {
    const owner: unknown = JSON.parse(text)
    if (typeof owner !== 'object' || owner === null || !('pid' in owner) || !('start' in owner))
      return undefined
    if (typeof owner.pid !== 'number' || typeof owner.start !== 'string') return undefined
    return { pid: owner.pid, start: owner.start }
  } catch (error) {
    // A file cut short by a power loss names nobody.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

function ifExists(action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
