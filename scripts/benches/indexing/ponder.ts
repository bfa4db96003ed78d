import { existsSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLogFile } from '../../local-network/log-file.ts'
import { startOwnedProcess } from '../../local-network/owned-process.ts'
import { SetupError } from '../../setup/index.ts'
import { freePort } from '../../testing/free-port.ts'
import type { BenchChain } from './chain.ts'
import type { BenchDatabase } from './database.ts'
import { type Run, timeIndexing } from './indexer.ts'

/** npm calls 1.0.0 the newest, which is 0.10 by another name. */
const version = '0.17.7'
const source = fileURLToPath(new URL('ponder-app', import.meta.url))
const installWithinMs = 300_000
/** So many addresses of the node, each of which it asks 20 times a second, are no limit any more. */
const unlimitedCopies = 40

const rowsText = `SELECT json_build_object(
  'actions', (SELECT count(*) FROM bench.action),
  'nonces', (SELECT sum(nonce) FROM bench.action),
  'profiles', (SELECT count(*) FROM bench.entity WHERE kind = 1),
  'tracks', (SELECT count(*) FROM bench.entity WHERE kind = 2),
  'durations', (SELECT sum((body->>'durationMs')::bigint) FROM bench.entity WHERE kind = 2),
  'playlists', (SELECT count(*) FROM bench.entity WHERE kind = 3),
  'entries', (SELECT sum(json_array_length((body->'tracks')::json)) FROM bench.entity WHERE kind = 3),
  'comments', (SELECT count(*) FROM bench.entity WHERE kind = 10),
  'follows', (SELECT count(*) FROM bench.edge WHERE kind = 7 AND state IS NOT NULL),
  'saves', (SELECT count(*) FROM bench.edge WHERE kind = 8 AND state IS NOT NULL),
  'reposts', (SELECT count(*) FROM bench.edge WHERE kind = 9 AND state IS NOT NULL),
  'reactions', (SELECT count(*) FROM bench.edge WHERE kind = 11 AND state IS NOT NULL),
  'tallies', (SELECT json_object_agg(what, total ORDER BY what) FROM (
    SELECT split_part(id, ' ', 2) AS what, sum(total) AS total FROM bench.tally WHERE total <> 0 GROUP BY 1) AS summed)
)::text AS rows`

/**
 * Brings Ponder into a folder that is kept: 220 MB from npm, no part of the product.
 * @returns the folder of its app
 * @throws SetupError when npm cannot
 */
export async function installPonder(
  report: (line: string) => void,
  signal: AbortSignal,
): Promise<{ directory: string; installMs: number }> {
  const directory = fileURLToPath(new URL(`../../../.hexachord/ponder-${version}`, import.meta.url))
  const mark = path.join(directory, 'installed')
  await mkdir(directory, { recursive: true })
  await cp(source, directory, { recursive: true })
  if (existsSync(mark)) return { directory, installMs: 0 }
  report(`installing Ponder ${version} from npm (once)`)
  const startedAtMs = Date.now()
  const log = openLogFile(path.join(directory, 'npm-install.log'))
  const npm = await startOwnedProcess({
    ...{ command: 'npm', cwd: directory, log },
    args: ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock'],
    // Registries, proxies and certificates are the user's own, as in the set-up.
    env: { ...definedOnly(process.env), NODE_USE_SYSTEM_CA: '1' },
  })
  const stop = () => void npm.stop()
  const stopping = AbortSignal.any([signal, AbortSignal.timeout(installWithinMs)])
  stopping.addEventListener('abort', stop, { once: true })
  const { code } = await npm.exited
  stopping.removeEventListener('abort', stop)
  signal.throwIfAborted()
  if (code !== 0) throw new SetupError(`npm could not install Ponder ${version}:\n${log.tail()}`)
  await writeFile(mark, '')
  return { directory, installMs: Date.now() - startedAtMs }
}

function definedOnly(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** Ponder on the same chain, with an app that keeps the same rows.
 * @param options.cached keeps what an earlier run has read of the chain and lifts its limit on requests */
export async function runPonder(options: {
  readonly directory: string
  readonly folder: string
  readonly chain: BenchChain
  readonly database: BenchDatabase
  readonly cached: boolean
  readonly withinMs: number
  readonly signal: AbortSignal
}): Promise<Run> {
  const { directory, folder, chain, database, cached, withinMs, signal } = options
  if (cached) await database.ask('ponder', 'DROP SCHEMA bench CASCADE')
  else await database.makeAnew('ponder')
  const logFile = path.join(folder, `ponder-${Date.now()}.log`)
  const port = String(await freePort())
  const bin = path.join(directory, 'node_modules/ponder/dist/esm/bin/ponder.js')
  const startedAtMs = Date.now()
  const child = await startOwnedProcess({
    command: process.execPath,
    args: [bin, 'start', '--schema', 'bench', '-p', port, '-H', '127.0.0.1', '--log-format', 'json'],
    cwd: directory,
    env: {
      ...{ PONDER_TELEMETRY_DISABLED: 'true', DATABASE_URL: database.urlOf('ponder'), NO_COLOR: '1' },
      ...{ BENCH_RPC_URL: chain.rpcUrl, BENCH_RPC_COPIES: String(cached ? unlimitedCopies : 1) },
      BENCH_CATALOG: chain.network.contracts.catalog,
      BENCH_FIRST_BLOCK: String(chain.network.firstBlock),
      BENCH_LAST_BLOCK: String(chain.lastBlock),
    },
    log: openLogFile(logFile),
  })
  try {
    const times = await timeIndexing({
      ...{ child, logFile, startedAtMs, withinMs, signal },
      begins: ({ msg }) => msg === 'Started backfill indexing',
      ends: ({ msg }) => msg === 'Completed backfill indexing across all chains',
    })
    return { ...times, rows: await database.ask('ponder', rowsText) }
  } finally {
    await child.stop()
  }
}
