import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** The environment variable that marks every process of one run of a suite, however deep. */
export const runVariable = 'HEXACHORD_RUN'

/** A process that should have ended. */
export type Leftover = { pid: number; command: string; ports: number[] }

/** Processes on their way out are not leftovers: Postgres writes its last log line, a guard reads its last one. */
const patienceMs = 5_000

/**
 * Processes that carry the mark of a run, apart from this one, once those that are ending had time to.
 * Empty where there is no /proc (macOS): nothing is known there.
 */
export async function findLeftovers(run: string, waitMs = patienceMs): Promise<Leftover[]> {
  const endMs = Date.now() + waitMs
  let found = markedProcesses(run)
  while (found.length > 0 && Date.now() < endMs) {
    await wait(50)
    found = markedProcesses(run)
  }
  return found
}

/** Ends them at once, so that the next suite is not disturbed. */
export function endLeftovers(leftovers: Leftover[]): void {
  for (const { pid } of leftovers) ifStillThere(() => process.kill(pid, 'SIGKILL'))
}

function markedProcesses(run: string): Leftover[] {
  if (process.platform !== 'linux') return []
  const mark = `${runVariable}=${run}`
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const environment = ifStillThere(() => readFileSync(`/proc/${name}/environ`, 'latin1'))
      if (!environment?.split('\0').includes(mark)) return []
      const command = ifStillThere(() => readFileSync(`/proc/${name}/cmdline`, 'latin1')) ?? ''
      return [
        {
          pid: Number(name),
          command: command.replaceAll('\0', ' ').trim(),
          ports: listeningPorts(name),
        },
      ]
    })
}

function listeningPorts(pid: string): number[] {
  const descriptors = ifStillThere(() => readdirSync(`/proc/${pid}/fd`)) ?? []
  const sockets = descriptors.flatMap((fd) => {
    const target = ifStillThere(() => readlinkSync(`/proc/${pid}/fd/${fd}`))
    return /^socket:\[(\d+)\]$/.exec(target ?? '')?.[1] ?? []
  })
  const own = new Set(sockets)
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map(
    (file) => ifStillThere(() => readFileSync(file, 'utf8')) ?? '',
  )
  return (
    tables
      .flatMap((table) => table.split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      // proc(5): state 0A is LISTEN; the local address is hex `address:port`; the inode is the tenth field.
      .filter((fields) => fields[3] === '0A' && own.has(fields[9] ?? ''))
      .map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '0', 16))
  )
}

/** Undefined for a process that has just ended, or that is another account's. */
function ifStillThere<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined
    throw error
  }
}
