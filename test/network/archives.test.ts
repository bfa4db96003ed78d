import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type FaultProxy, startFaultProxy } from '@hexachord/platform/chain/testing'
import { openPostgres } from '@hexachord/platform/postgres'
import { createLogger } from '@hexachord/platform/process'
import { type ArchiveEntry, archiveEntrySchema } from '@hexachord/protocol/archives'
import { userSubject } from '@hexachord/protocol/names'
import { type DiscoveryStatus, discoveryStatusSchema, listOf } from '@hexachord/protocol/rest'
import { eventually, freePort, testNetwork } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { newArtist } from './artist.ts'

jest.setTimeout(90_000)

const network = testNetwork()
const nodes = network.operators.map(({ endpoint }) => endpoint)
const databaseName = `archives_${Date.now()}`
const program = fileURLToPath(new URL('../../discovery-provider/main.ts', import.meta.url))

let publishedIn: number
let archives: ArchiveEntry[]

async function archivesOf(origin: string): Promise<ArchiveEntry[]> {
  const response = await fetch(`${origin}/archives?limit=500`, { signal: AbortSignal.timeout(5_000) })
  return [...listOf(archiveEntrySchema).parse(await response.json()).items]
}

beforeAll(async () => {
  const artist = await newArtist(network)
  const subject = userSubject(artist.account.address)
  const { status } = await artist.write('user', subject, { prev: null, name: 'Archivist' })
  publishedIn = status.block ?? Number.POSITIVE_INFINITY
  await mine(64)
  archives = await eventually(() => archivesOf(nodes[0] ?? ''), {
    describe: 'the epoch of the action is archived',
    deadlineMs: 40_000,
    until: (entries) => (entries.at(-1)?.toBlock ?? 0) >= publishedIn,
  })
})

describe('every node', () => {
  test('holds the same archives of final epochs', async () => {
    for (const origin of nodes) {
      const entries = await eventually(() => archivesOf(origin), {
        describe: `${origin} has archived the epoch too`,
        deadlineMs: 20_000,
        until: (found) => (found.at(-1)?.toBlock ?? 0) >= publishedIn,
      })
      expect(entries.slice(0, archives.length)).toEqual(archives)
    }
  })
})

describe('a new discovery provider on a chain node that has dropped old logs', () => {
  let proxy: FaultProxy
  let provider: ChildProcess
  let origin: string
  let out = ''

  beforeAll(async () => {
    await administer(`CREATE DATABASE ${databaseName}`)
    proxy = await startFaultProxy(network.urls.chain)
    // Pruned as far as the archives reach; the proxy cannot tell blocks, but it can tell when that is.
    let started = false
    proxy.fault = (methods) => {
      started ||= out.includes('archives have been indexed')
      if (started || !methods.includes('eth_getLogs')) return undefined
      const error = { code: 4444, message: 'pruned history unavailable' }
      return { status: 200, body: JSON.stringify({ jsonrpc: '2.0', id: null, error }) }
    }
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    const database = new URL(network.urls.database)
    database.pathname = `/${databaseName}`
    provider = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
      env: {
        PATH: process.env.PATH,
        PORT: String(port),
        METRICS_PORT: '0',
        PUBLIC_URL: origin,
        RPC_URL: proxy.url,
        NETWORK_FILE: network.networkFile,
        DATABASE_URL: database.href,
        ALLOW_PRIVATE_ADDRESSES: 'true',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    provider.stdout?.on('data', (chunk: Buffer) => {
      out += chunk
    })
  })
  afterAll(async () => {
    if (provider !== undefined && provider.exitCode === null) {
      const ended = once(provider, 'exit')
      provider.kill('SIGTERM')
      await ended
    }
    await proxy?.close()
    await administer(`DROP DATABASE IF EXISTS ${databaseName} WITH (FORCE)`)
  })

  test('finds the archives of operators by itself, and comes to the same state', async () => {
    const known = await statusOf(network.urls.discovery)
    const status = await eventually(() => statusOf(origin), {
      describe: 'the new provider has come as far as the old one was',
      deadlineMs: 60_000,
      until: ({ indexed }) => indexed >= known.indexed,
    })
    const lines = out.split('\n').filter((line) => line.includes('"msg":"indexed the archive of an epoch"'))
    expect(lines.length).toBeGreaterThanOrEqual(archives.length)
    expect(out).not.toContain('an archive is false')
    // Both go on meanwhile: they are compared at a block at which both stand.
    await eventually(async () => [await statusOf(origin), await statusOf(network.urls.discovery)] as const, {
      describe: 'both have the same state hash at the same block',
      deadlineMs: 20_000,
      until: ([fresh, old]) =>
        fresh.stateHashBlock === old.stateHashBlock && fresh.stateHash === old.stateHash,
    })
    expect(status.chainId).toBe(known.chainId)
  })
})

/** Brings blocks, as time would on another chain: this one stands still while nobody writes. */
async function mine(blocks: number): Promise<void> {
  const body = { jsonrpc: '2.0', id: 1, method: 'anvil_mine', params: [`0x${blocks.toString(16)}`] }
  const headers = { 'content-type': 'application/json' }
  await fetch(network.urls.chain, { method: 'POST', headers, body: JSON.stringify(body) })
}

async function statusOf(url: string): Promise<DiscoveryStatus> {
  const response = await fetch(`${url}/status`, { signal: AbortSignal.timeout(5_000) })
  return discoveryStatusSchema.parse(await response.json())
}

async function administer(statement: string): Promise<void> {
  const logger = createLogger({ service: 'test', level: 'silent' })
  const postgres = openPostgres({ url: network.urls.database, logger, max: 1 })
  try {
    await postgres.query(statement)
  } finally {
    await postgres.close()
  }
}
