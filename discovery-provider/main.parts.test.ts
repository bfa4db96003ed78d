import { chmod, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeNetworkFile } from '@hexachord/contracts/networks'
import { type Address, type Hash, userSubject } from '@hexachord/protocol/names'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { type AnvilNetwork, startAnvilNetwork } from './fixtures/anvil-network.ts'
import { createTestDatabase, type TestDatabase } from './fixtures/database.ts'
import { eventually } from './fixtures/eventually.ts'
import { type ProviderProcess, startProviderProcess } from './fixtures/provider-process.ts'

// Processes start slowly on a machine that does other things as well.
jest.setTimeout(120_000)

let chain: AnvilNetwork
let folder: string
let database: TestDatabase
let providers: ProviderProcess[]

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
  for (const provider of providers) {
    provider.kill('SIGKILL')
    await provider.exited
  }
  await database.drop()
})

async function startProvider(env: Record<string, string> = {}): Promise<ProviderProcess> {
  const provider = await startProviderProcess({
    RPC_URL: chain.anvil.url,
    NETWORK_FILE: join(folder, 'network.json'),
    DATABASE_URL: database.url,
    ...env,
  })
  providers.push(provider)
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

  test.each([
    'nothing',
    'this process writes the index',
    'indexed blocks',
    'indexes that readers need are made',
  ])('killed when it has said: %s; goes on where it was', async (line) => {
    const killed = await startProvider()
    await publishProfile('Ut')
    if (line !== 'nothing') await eventually(() => killed.lines().includes(line))
    killed.kill('SIGKILL')
    await killed.exited
    const provider = await startProvider()
    const { hash } = await publishProfile('Re')
    await provider.ready()
    expect((await database.postgres.query('SELECT FROM deferred_index')).rows).toEqual([])
    await eventually(async () => (await provider.get(`/v1/actions/${hash}`)).status === 200)
  })

  test('killed while it makes tables anew; serves the old ones until then, and begins again', async () => {
    const before = await startProvider()
    await before.ready()
    const { author, hash } = await publishProfile('Fa')
    await eventually(async () => (await before.get(`/v1/actions/${hash}`)).status === 200)
    before.kill('SIGTERM')
    await before.exited
    await database.postgres.query('UPDATE table_version SET version = 0')
    const killed = await database.postgres.transaction(async (reader) => {
      // As long as somebody reads, the new tables wait.
      await reader.query('SELECT FROM profile')
      const provider = await startProvider()
      const { body } = await eventually(
        () => provider.get('/status'),
        ({ body }) => (body.rebuild as { step: string } | null)?.step === 'swap',
      )
      expect(body.rebuild).toMatchObject({ tables: expect.arrayContaining(['track', 'profile', 'tally']) })
      expect((await provider.get(`/v1/users/${author}`)).body).toMatchObject({ name: 'Fa' })
      provider.kill('SIGKILL')
      await provider.exited
      return provider
    })
    expect(killed.lines()).not.toContain('have taken the place')
    const provider = await startProvider()
    await provider.ready()
    await eventually(() => provider.lines().includes('tables made anew have taken the place of the old ones'))
    expect((await provider.get('/status')).body.rebuild).toBeNull()
    expect((await provider.get(`/v1/users/${author}`)).body).toMatchObject({ name: 'Fa' })
  })

  test('beside another on the same database serves readers, and says so', async () => {
    const writer = await startProvider()
    await writer.ready()
    const reader = await startProvider()
    await reader.ready()
    expect((await reader.get('/status')).body).toMatchObject({ role: 'standby' })
    await eventually(async () => reader.lines().includes('another process writes the index'))
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

  test('keeps app passwords under a key that it makes, and serves no players without one', async () => {
    const file = join(folder, 'keys', 'app-password')
    const keeping = await startProvider({ APP_PASSWORD_KEY_FILE: file })
    await keeping.ready()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const { body } = await keeping.get('/rest/getOpenSubsonicExtensions?f=json')
    expect(body).toMatchObject({ 'subsonic-response': { status: 'ok', serverVersion: expect.any(String) } })
    const metrics = await (await fetch(`${keeping.metricsOrigin}/metrics`)).text()
    expect(metrics).toContain('route="/rest/getOpenSubsonicExtensions"')
    await chmod(file, 0o644)
    const refusing = await startProvider({ APP_PASSWORD_KEY_FILE: file })
    expect(await refusing.exited).toBe(2)
    expect(refusing.lines()).toContain('APP_PASSWORD_KEY_FILE: can be read by others')
    const without = await startProvider()
    await without.ready()
    expect((await without.get('/rest/ping?f=json')).status).toBe(404)
    expect((await without.get('/v1/app-passwords')).status).toBe(404)
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
