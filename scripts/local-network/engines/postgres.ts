import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { processStart } from '../../setup/process-identity.ts'
import { type LogFile, openLogFile } from '../log-file.ts'
import { startOwnedProcess } from '../owned-process.ts'
import { requireFreePort } from '../ports.ts'
import { untilReady } from '../until-ready.ts'
import type { Engine, EngineOptions } from './engine.ts'
import {
  canEnter,
  outsideFolder,
  outsideFolderName,
  postgresAccount,
  runnablePostgres,
} from './postgres-binaries.ts'
import { readOrMakePassword } from './secret-file.ts'

const run = promisify(execFile)

type Account = { uid: number; gid: number } | undefined

const user = 'hexachord'
/** Written into a data folder once initdb has finished. */
const initialisedMark = 'hexachord-initialised'
/** Recovery after kill -9 replays the log before it answers. */
const readyWithinMs = 60_000
const stopWithinMs = 15_000

export type Postgres = Engine & {
  /** The URL of a database called `name`, which is created when it does not exist. */
  createDatabase(name: string): Promise<string>
}

/**
 * Starts a Postgres of our own: the binaries of npm, listening on loopback only, with a password (scram).
 * As root it runs as `nobody`; where that account cannot reach `directory`, the data lies under /var/tmp
 * (see `removePostgresData`). A directory that was left by kill -9 recovers by itself.
 *
 * @param options.settings server settings beside ours, such as `{ fsync: 'off' }` for throw-away data
 * @throws NotReadyError, SetupError
 */
export async function startPostgres(
  options: EngineOptions & { settings?: Record<string, string> },
): Promise<Postgres> {
  const { directory, port, signal, settings = {} } = options
  await mkdir(directory, { recursive: true })
  const account = postgresAccount()
  const native = await runnablePostgres(account)
  const data = await dataFolder(directory, account)
  const { password, isNew } = await readOrMakePassword(path.join(directory, 'password'))
  const log = openLogFile(options.logFile ?? path.join(directory, 'postgres.log'))

  await endOrphan(data, signal)
  // Data whose password is lost is that of a network which was removed by hand: the folder under /var/tmp stayed.
  if (isNew) await rm(path.join(data, initialisedMark), { force: true })
  await initialise({ native, data, password, account, log })
  await requireFreePort(port, 'Postgres')
  const child = await startOwnedProcess({
    command: path.join(native, 'bin/postgres'),
    args: ['-D', data, ...settingArguments({ ...ourSettings(port), ...settings })],
    cwd: data,
    env: { LC_ALL: 'C', HOME: data },
    log,
    account,
    // "Fast" shutdown: ends sessions, writes a checkpoint.
    stopSignal: 'SIGINT',
    stopTimeoutMs: stopWithinMs,
  })
  const urlOf = (database: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`
  const url = urlOf('postgres')
  await untilReady({
    name: 'Postgres',
    child,
    log,
    deadlineMs: readyWithinMs,
    signal,
    isReady: async () => (await query(url, 'SELECT 1')) === 1,
  })
  return {
    url,
    pid: child.pid,
    exited: child.exited,
    async createDatabase(name) {
      const quoted = pg.escapeIdentifier(name)
      const exists = await query(url, 'SELECT 1 FROM pg_database WHERE datname = $1', [name])
      if (exists === 0) await query(url, `CREATE DATABASE ${quoted}`)
      return urlOf(name)
    },
    async close() {
      await child.stop()
    },
    async kill() {
      await child.kill()
      // The backends lead sessions of their own and notice the death of their parent a moment later.
      await endOrphan(data, signal)
    },
  }
}

/** Removes what `startPostgres` wrote for `directory`, wherever that is. Postgres must not run. */
export async function removePostgresData(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await rm(outsideFolderName(directory), { recursive: true, force: true })
}

async function dataFolder(directory: string, account: Account): Promise<string> {
  const inside = path.join(directory, 'data')
  if (account === undefined) {
    await mkdir(inside, { recursive: true, mode: 0o700 })
    return inside
  }
  const outside = !(await canEnter(directory, account))
  const data = outside ? path.join(await outsideFolder(directory), 'data') : inside
  await mkdir(data, { recursive: true, mode: 0o700 })
  await chown(data, account.uid, account.gid)
  return data
}

async function initialise(options: {
  native: string
  data: string
  password: string
  account: Account
  log: LogFile
}): Promise<void> {
  const { native, data, password, account, log } = options
  const finished = path.join(data, initialisedMark)
  if (await exists(finished)) return
  // An initdb that was interrupted leaves a folder that Postgres cannot use and that holds nothing yet.
  await rm(data, { recursive: true, force: true })
  await mkdir(data, { mode: 0o700 })
  if (account !== undefined) await chown(data, account.uid, account.gid)

  const passwordFile = `${data}.password`
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (account !== undefined) await chown(passwordFile, account.uid, account.gid)
  try {
    const initdb = await startOwnedProcess({
      command: path.join(native, 'bin/initdb'),
      args: [
        ...['-D', data, '-U', user, '-A', 'scram-sha-256', '--pwfile', passwordFile],
        // The built-in locale sorts by code point on every system, and still knows upper and lower case of all letters.
        ...['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
        '--no-instructions',
      ],
      cwd: path.dirname(data),
      env: { LC_ALL: 'C', HOME: data },
      log,
      account,
    })
    const { code } = await initdb.exited
    if (code !== 0) throw new Error(`initdb ended with code ${code}. The end of ${log.path}:\n${log.tail()}`)
  } finally {
    await rm(passwordFile, { force: true })
  }
  await writeFile(finished, '')
  await chmod(finished, 0o644)
}

function ourSettings(port: number): Record<string, string> {
  return {
    port: String(port),
    listen_addresses: '127.0.0.1',
    // No socket file: its path may be at most 107 bytes long, and a checkout may lie deeper than that.
    unix_socket_directories: '',
    max_connections: '100',
    log_timezone: 'UTC',
    timezone: 'UTC',
  }
}

function settingArguments(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/**
 * postmaster.pid names the server that uses a data folder. After kill -9 of ours it may still be shutting
 * down (then we wait), or be alive without an owner (then we end it), or its number may belong to some
 * other program (then Postgres would refuse to start, so the file goes).
 */
async function endOrphan(data: string, signal: AbortSignal): Promise<void> {
  const file = path.join(data, 'postmaster.pid')
  const pid = await pidIn(file)
  if (pid === undefined) return
  if (processStart(pid) === undefined) return
  if (!(await isPostgresOf(pid, data))) {
    await rm(file, { force: true })
    return
  }
  const endMs = Date.now() + stopWithinMs
  sendIfAlive(pid, 'SIGINT')
  while (processStart(pid) !== undefined) {
    signal.throwIfAborted()
    if (Date.now() > endMs) sendIfAlive(pid, 'SIGQUIT')
    await wait(50)
  }
}

async function pidIn(file: string): Promise<number | undefined> {
  try {
    const pid = Number((await readFile(file, 'utf8')).split('\n')[0])
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether the process is a Postgres on this data folder, by its command line. */
async function isPostgresOf(pid: number, data: string): Promise<boolean> {
  try {
    // Debian's smallest images have no ps; macOS has no /proc.
    if (process.platform !== 'linux') {
      return (await run('ps', ['-o', 'command=', '-p', String(pid)])).stdout.includes(`-D ${data} `)
    }
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').includes(data)
  } catch (error) {
    // It ended while we looked.
    if (
      error instanceof Error &&
      'code' in error &&
      (error.code === 'ENOENT' || error.code === 'ESRCH' || error.code === 1)
    )
      return false
    throw error
  }
}

function sendIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Runs one statement on a connection of its own; resolves to the number of rows. */
async function query(url: string, text: string, values: unknown[] = []): Promise<number> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2_000,
    query_timeout: 30_000,
  })
  // pg reports a connection lost between two statements as an event; our statement rejects as well.
  let failure: Error | undefined
  client.on('error', (error) => {
    failure = error
  })
  try {
    await client.connect()
    const result = await client.query(text, values)
    return result.rows.length
  } catch (error) {
    throw failure ?? error
  } finally {
    await client.end()
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await readFile(file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
