import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeNetworkFile } from '@hexachord/contracts/networks'
import { type Address, type Hash, userSubject } from '@hexachord/protocol/names'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { freePort } from './fixtures/anvil.ts'
import { type AnvilNetwork, startAnvilNetwork } from './fixtures/anvil-network.ts'
import { createTestDatabase, type TestDatabase } from './fixtures/database.ts'
import { eventually } from './fixtures/eventually.ts'

// Processes start slowly on a machine that does other things as well.
jest.setTimeout(120_000)

type Provider = {
  readonly origin: string
  readonly metricsOrigin: string
  /** Lines on both outputs so far. */
  lines(): string
  get(path: string): Promise<{ status: number; body: Record<string, unknown> }>
  ready(): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** Resolves to the exit code. */
  readonly exited: Promise<number | null>
}

let chain: AnvilNetwork
let folder: string
let database: TestDatabase
let providers: { child: ChildProcess; provider: Provider }[]

beforeAll(async () => {
  chain = await startAnvilNetwork()
  folder = await mkdtemp(join(tmpdir(), 'hexachord-discovery-'))
  await writeNetworkFile(join(folder, 'network.json'), chain.file)
})
afterAll(async () => {
  await chain.anvil.close()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  database = await createTestDatabase()
  providers = []
})
afterEach(async () => {
  for (const { child, provider } of providers) {
    child.kill('SIGKILL')
    await provider.exited
  }
  await database.drop()
})

async function startProvider(env: Record<string, string> = {}): Promise<Provider> {
  const port = await freePort()
  const metricsPort = await freePort()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      RPC_URL: chain.anvil.url,
      NETWORK_FILE: join(folder, 'network.json'),
      DATABASE_URL: database.url,
      ALLOW_PRIVATE_ADDRESSES: 'true',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)))
  const origin = `http://127.0.0.1:${port}`
  const provider: Provider = {
    origin,
    metricsOrigin: `http://127.0.0.1:${metricsPort}`,
    lines: () => output,
    async get(path) {
      const response = await fetch(origin + path, { signal: AbortSignal.timeout(5_000) })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    },
    async ready() {
      await eventually(async () => {
        if (child.exitCode !== null) throw new Error(`it ended:\n${output}`)
        return (await provider.get('/ready')).status === 200
      })
    },
    kill: (signal) => child.kill(signal),
    exited: new Promise((resolve) => child.once('exit', (code) => resolve(code))),
  }
  providers.push({ child, provider })
  return provider
}

async function publishProfile(name: string): Promise<{ author: Address; hash: Hash }> {
  const wallet = new Wallet(Wallet.createRandom().privateKey)
  const author = wallet.address.toLowerCase() as Address
  const hash = await chain.send(wallet, {
    kind: 'user',
    subject: userSubject(author),
    content: { prev: null, name },
  })
  await chain.anvil.mine()
  return { author, hash }
}

describe('a discovery provider', () => {
  test('indexes, answers, and ends cleanly when it is asked to', async () => {
    const provider = await startProvider()
    await provider.ready()
    const { author, hash } = await publishProfile('Guido')
    await eventually(async () => (await provider.get(`/v1/actions/${hash}`)).status === 200)
    expect((await provider.get(`/v1/users/${author}`)).body).toMatchObject({ name: 'Guido' })
    expect((await provider.get('/status')).body).toMatchObject({ role: 'writer', lagBlocks: 0 })
    expect((await provider.get('/openapi.json')).body).toMatchObject({ servers: [{ url: provider.origin }] })
    const metrics = await (await fetch(`${provider.metricsOrigin}/metrics`)).text()
    expect(metrics).toMatch(/indexer_lag_seconds\{.*\} 0\n/)

    const startedAt = performance.now()
    provider.kill('SIGTERM')
    expect([await provider.exited, provider.lines().includes('"level":"fatal"')]).toEqual([0, false])
    expect(performance.now() - startedAt).toBeLessThan(15_000)
  })

  test.each(['nothing', 'this process writes the index', 'indexed blocks'])(
    'killed when it has said: %s; goes on where it was',
    async (line) => {
      const killed = await startProvider()
      await publishProfile('Ut')
      if (line !== 'nothing') await eventually(() => killed.lines().includes(line))
      killed.kill('SIGKILL')
      await killed.exited
      const provider = await startProvider()
      const { hash } = await publishProfile('Re')
      await provider.ready()
      await eventually(async () => (await provider.get(`/v1/actions/${hash}`)).status === 200)
    },
  )

  test('beside another on the same database serves readers, and says so', async () => {
    const writer = await startProvider()
    await writer.ready()
    const reader = await startProvider()
    await reader.ready()
    expect((await reader.get('/status')).body).toMatchObject({ role: 'standby' })
    expect(reader.lines()).toContain('another process writes the index')
    const { author } = await publishProfile('Mi')
    await eventually(async () => (await reader.get(`/v1/users/${author}`)).status === 200)
  })

  test('ends with an error when final blocks were replaced', async () => {
    const provider = await startProvider()
    await provider.ready()
    await chain.anvil.mine(6)
    const head = Number(await chain.anvil.rpc('eth_blockNumber'))
    await eventually(async () => (await provider.get('/status')).body.indexed === head)
    await chain.anvil.rpc('anvil_reorg', [6, []])
    await chain.anvil.mine()
    expect(await provider.exited).toBe(1)
    expect(provider.lines()).toMatch(/"level":"fatal".*reorganised deeper than its finality/)
  })

  test('tells an operator every mistake in its configuration', async () => {
    const provider = await startProvider({ DATABASE_URL: 'nowhere', RPC_URL: '', PORT: 'x' })
    expect(await provider.exited).toBe(2)
    expect(provider.lines()).toMatch(/PORT: .*\n.*RPC_URL: is not set\n.*DATABASE_URL: /)
  })

  test('says what is missing when the database is not there', async () => {
    const provider = await startProvider({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
    expect(await provider.exited).toBe(1)
    expect(provider.lines()).toMatch(/"level":"fatal".*ECONNREFUSED/)
  })

  test('waits for a chain that is not there, and says that it is not ready', async () => {
    const provider = await startProvider({ RPC_URL: 'http://127.0.0.1:1' })
    const { body } = await eventually(
      () => provider.get('/ready'),
      ({ status }) => status === 503,
    )
    expect(body.checks).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'chain', ok: false })]),
    )
    expect((await provider.get('/status')).status).toBe(200)
    provider.kill('SIGTERM')
    expect(await provider.exited).toBe(0)
  })
})
