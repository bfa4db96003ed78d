import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLogFile } from '../../local-network/log-file.ts'
import { type OwnedProcess, startOwnedProcess } from '../../local-network/owned-process.ts'
import { indexerNodeOptions } from '../../local-network/services.ts'
import type { BenchChain } from './chain.ts'
import type { BenchDatabase } from './database.ts'
import { type Run, timeIndexing } from './indexer.ts'

const entry = fileURLToPath(new URL('../../../discovery-provider/main.ts', import.meta.url))

/** In the form of {@link Run}: what there is, how many of each, and sums over them. */
const rowsText = `SELECT json_build_object(
  'actions', (SELECT count(*) FROM action WHERE verdict = 'applied'),
  'nonces', (SELECT sum(nonce) FROM action),
  'profiles', (SELECT count(*) FROM profile),
  'tracks', (SELECT count(*) FROM track),
  'durations', (SELECT sum(duration_ms) FROM track),
  'playlists', (SELECT count(*) FROM playlist),
  'entries', (SELECT sum(cardinality(tracks)) FROM playlist),
  'comments', (SELECT count(*) FROM comment),
  'follows', (SELECT count(*) FROM follow),
  'saves', (SELECT count(*) FROM save),
  'reposts', (SELECT count(*) FROM repost),
  'reactions', (SELECT count(*) FROM reaction),
  'tallies', (SELECT json_object_agg(what, total ORDER BY what) FROM (
    SELECT what, sum(total) AS total FROM tally GROUP BY what) AS summed)
)::text AS rows`

/** The discovery provider as anybody runs it, with its API, from the first block to the newest. */
export async function runOurs(options: {
  readonly folder: string
  readonly chain: BenchChain
  readonly database: BenchDatabase
  readonly withinMs: number
  readonly signal: AbortSignal
}): Promise<Run> {
  const { folder, chain, database, withinMs, signal } = options
  const databaseUrl = await database.makeAnew('ours')
  const startedAtMs = Date.now()
  const { child, logFile } = await startOurs({ folder, chain, databaseUrl, port: 0 })
  try {
    const times = await timeIndexing({
      ...{ child, logFile, startedAtMs, withinMs, signal },
      begins: ({ msg }) => msg === 'this process writes the index',
      // After the last block: readers may come.
      ends: ({ msg }) => msg === 'the indexes that readers need are made',
    })
    return { ...times, rows: await database.ask('ours', rowsText) }
  } finally {
    await child.stop()
  }
}

/** @param options.port of its API; 0 for one that nobody needs to know */
export async function startOurs(options: {
  readonly folder: string
  readonly chain: BenchChain
  readonly databaseUrl: string
  readonly port: number
}): Promise<{ child: OwnedProcess; logFile: string }> {
  const { folder, chain, databaseUrl, port } = options
  const logFile = path.join(folder, `ours-${Date.now()}.log`)
  const child = await startOwnedProcess({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', entry],
    cwd: folder,
    env: {
      ...{ HOST: '127.0.0.1', PORT: String(port), PUBLIC_URL: 'http://127.0.0.1:4600', ARCHIVES: 'off' },
      NODE_OPTIONS: indexerNodeOptions,
      ...{ RPC_URL: chain.rpcUrl, NETWORK_FILE: chain.networkFile, DATABASE_URL: databaseUrl },
    },
    log: openLogFile(logFile),
  })
  return { child, logFile }
}
