import { type Host, originOf } from './host.ts'
import { type LogFile, openLogFile } from './log-file.ts'
import { startOwnedProcess } from './owned-process.ts'
import { requireFreePort } from './ports.ts'
import type { Running } from './processes.ts'
import { untilReady } from './until-ready.ts'

/** Migrations of a first start, and the keys of a node, take some seconds on a slow machine. */
const readyWithinMs = 60_000

export type ServiceOptions = {
  name: string
  /** The TypeScript file that an operator would give to `node`. */
  entry: string
  /** Its configuration: what an operator would give to `node --env-file`. */
  environmentFile: string
  host: Host
  /** Its own port on its host; `/ready` is asked there. */
  port: number
  logFile: string
  /** Where it is started; its configuration names absolute paths only. */
  cwd: string
  signal: AbortSignal
}

/**
 * Starts one service as an operator does, `node --env-file=FILE ENTRY`, and waits until its `/ready` says
 * yes. Throws NotReadyError with its last log lines, or PortTakenError.
 */
export async function startService(options: ServiceOptions): Promise<Running> {
  const { name, entry, environmentFile, host, port, cwd, signal } = options
  const log: LogFile = openLogFile(options.logFile)
  await requireFreePort(port, name)
  const child = await startOwnedProcess({
    ...host.within(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      `--env-file=${environmentFile}`,
      entry,
    ]),
    cwd,
    log,
  })
  await untilReady({
    name,
    child,
    log,
    deadlineMs: readyWithinMs,
    signal,
    async isReady(probe) {
      const response = await fetch(`${originOf(port, host)}/ready`, { signal: probe })
      const body = await response.text()
      // Which dependency is missing is what a reader of the error wants to know.
      if (!response.ok) throw new Error(`/ready answered ${response.status}: ${body.slice(0, 500)}`)
      return true
    },
  })
  return {
    pid: child.pid,
    exited: child.exited,
    async close() {
      await child.stop()
    },
    async kill() {
      await child.kill()
    },
  }
}
