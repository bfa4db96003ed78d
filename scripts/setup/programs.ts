import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline/promises'
import { keyRecoveries } from '@hexachord/platform/secp256k1'
import { SetupError } from './setup-error.ts'

/** A program, or a library, that npm does not carry, and the package that brings it. */
export type Program = {
  command: string
  apt: string
  brew: string
  /** @default an executable file of that name on the PATH */
  isHere?: () => boolean
}

export const ffmpeg: Program = { command: 'ffmpeg', apt: 'ffmpeg', brew: 'ffmpeg' }
export const ffprobe: Program = { command: 'ffprobe', apt: 'ffmpeg', brew: 'ffmpeg' }
export const redisServer: Program = { command: 'redis-server', apt: 'redis-server', brew: 'redis' }
export const chromium: Program = { command: 'chromium', apt: 'chromium', brew: 'chromium' }
/** What benches compare with, and what asks as many clients would. */
export const nginx: Program = { command: 'nginx', apt: 'nginx', brew: 'nginx' }
/** Network namespaces and packet filters, for faults of links; only root can use them. */
export const ip: Program = { command: 'ip', apt: 'iproute2', brew: 'iproute2mac' }
export const nft: Program = { command: 'nft', apt: 'nftables', brew: 'nftables' }
export const wrk: Program = { command: 'wrk', apt: 'wrk', brew: 'wrk' }
/** A library, of which the -dev package brings whichever release the system has. Only on Linux do we know its file. */
export const libsecp256k1: Program[] =
  process.platform === 'linux'
    ? [{ command: 'libsecp256k1', apt: 'libsecp256k1-dev', brew: 'secp256k1', isHere: isSystemRecoveryHere }]
    : []

/** Debian keeps servers where the PATH of those who are not root does not lead. */
const searchPathOfThisMachine = [process.env.PATH ?? '', '/usr/sbin'].join(path.delimiter)

/** What `installPrograms` asks of its surroundings, so that tests need neither root nor apt. */
export type Surroundings = {
  platform: string
  isRoot: boolean
  isTerminal: boolean
  searchPath: string
  ask(question: string, signal: AbortSignal): Promise<boolean>
  /** Runs a command with the terminal as its own; resolves to the exit code. */
  run(command: string[], signal: AbortSignal): Promise<number>
}

/** apt waits this long for another apt to finish before it gives up. */
const aptLockSeconds = 120

/**
 * Makes sure that every program is on the PATH: installs by apt when root, or after a yes on the terminal.
 * Throws SetupError with the one line to type otherwise.
 */
export async function installPrograms(
  programs: Program[],
  report: (line: string) => void,
  signal: AbortSignal,
  surroundings: Surroundings = thisMachine(),
): Promise<void> {
  const missing = missingPrograms(programs, surroundings.searchPath)
  if (missing.length === 0) return
  const names = missing.map((program) => program.command).join(', ')
  const line = installLine(missing, surroundings)
  const byHand = `${names}: not found. Install with this line and run this again:\n\n  ${line}\n`

  if (surroundings.platform !== 'linux' || findProgram('apt-get', surroundings.searchPath) === undefined) {
    throw new SetupError(byHand)
  }
  if (!surroundings.isRoot) {
    if (!surroundings.isTerminal || findProgram('sudo', surroundings.searchPath) === undefined) {
      throw new SetupError(byHand)
    }
    if (!(await surroundings.ask(`${names}: not found. Run "${line}" now? [y/N] `, signal))) {
      throw new SetupError(byHand)
    }
  }
  report(`Installing ${packagesOf(missing).join(', ')} with apt`)
  await aptInstall(packagesOf(missing), surroundings, signal)

  const stillMissing = missingPrograms(programs, surroundings.searchPath)
  if (stillMissing.length > 0) throw new SetupError(byHand)
}

export function missingPrograms(programs: Program[], searchPath: string): Program[] {
  return programs.filter(
    ({ command, isHere = () => findProgram(command, searchPath) !== undefined }) => !isHere(),
  )
}

/** The full path of an executable file on a PATH, or undefined. */
export function findProgram(
  command: string,
  searchPath: string = searchPathOfThisMachine,
): string | undefined {
  return searchPath
    .split(path.delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => path.join(directory, command))
    .find(isExecutable)
}

function isSystemRecoveryHere(): boolean {
  try {
    keyRecoveries.system()
    return true
  } catch {
    return false
  }
}

async function aptInstall(
  packages: string[],
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  const prefix = surroundings.isRoot ? [] : ['sudo']
  const apt = [
    ...prefix,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-o',
    `DPkg::Lock::Timeout=${aptLockSeconds}`,
    '-q',
  ]
  const install = [...apt, 'install', '-y', '--no-install-recommends', ...packages]
  // The lists of a fresh machine are empty or old; a machine that knows the packages needs no update.
  if ((await surroundings.run(install, signal)) === 0) return
  await surroundings.run([...apt, 'update'], signal)
  const code = await surroundings.run(install, signal)
  if (code !== 0) {
    throw new SetupError(
      `apt-get ended with code ${code}. Mend what it says above and run this again, or install ${packages.join(' and ')} yourself.`,
    )
  }
}

function installLine(missing: Program[], surroundings: Surroundings): string {
  if (surroundings.platform === 'darwin') {
    return `brew install ${[...new Set(missing.map((program) => program.brew))].join(' ')}`
  }
  const sudo = surroundings.isRoot ? '' : 'sudo '
  const packages = packagesOf(missing).join(' ')
  return `${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends ${packages}`
}

function packagesOf(missing: Program[]): string[] {
  return [...new Set(missing.map((program) => program.apt))]
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false
    throw error
  }
}

function thisMachine(): Surroundings {
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    isTerminal: process.stdin.isTTY === true && process.stderr.isTTY === true,
    searchPath: searchPathOfThisMachine,
    async ask(question, signal) {
      const terminal = createInterface({ input: process.stdin, output: process.stderr })
      try {
        return /^y(es)?$/i.test((await terminal.question(question, { signal })).trim())
      } finally {
        terminal.close()
      }
    },
    run(command, signal) {
      const [program = '', ...args] = command
      // Standard output belongs to our own report (and to --json), so apt writes to standard error.
      const child = spawn(program, args, { stdio: ['inherit', 2, 2], signal })
      return new Promise((resolve, reject) => {
        child.once('error', reject)
        child.once('exit', (code) => resolve(code ?? 1))
      })
    },
  }
}
