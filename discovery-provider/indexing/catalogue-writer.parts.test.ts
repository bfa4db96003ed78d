import { type ChainReader, createChainReader } from '@hexachord/platform/chain'
import { createMetrics, type Metrics } from '@hexachord/platform/process'
import { type CatalogueRules, rulesOf } from '@hexachord/protocol/catalogue'
import { type Address, type Hash, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { type AnvilNetwork, startAnvilNetwork } from '../fixtures/anvil-network.ts'
import { createTestDatabase, quiet, type TestDatabase } from '../fixtures/database.ts'
import { eventually } from '../fixtures/eventually.ts'
import { expectAsFromScratch } from '../fixtures/fresh-index.ts'
import { type CatalogueWriter, startCatalogueWriter } from './catalogue-writer.ts'
import { type IndexedNetwork, readCheckpoint } from './checkpoint.ts'
import { createIndexMetrics, type IndexMetrics } from './index-metrics.ts'

// A chain of its own, and waiting for blocks, on a machine that does other things as well.
jest.setTimeout(120_000)

let chain: AnvilNetwork
let rules: CatalogueRules
let network: IndexedNetwork
let reader: ChainReader
let database: TestDatabase
let fresh: TestDatabase
let metrics: Metrics
let indexMetrics: IndexMetrics
let writers: CatalogueWriter[]

beforeAll(async () => {
  chain = await startAnvilNetwork()
  rules = rulesOf(chain.file)
  network = { chainId: chain.file.chainId, catalog: rules.catalog, firstBlock: chain.file.firstBlock }
  reader = createChainReader({ rpcUrls: [chain.anvil.url] })
  database = await createTestDatabase()
  fresh = await createTestDatabase()
})
afterAll(async () => {
  await fresh.drop()
  await database.drop()
  await reader.close()
  await chain.anvil.close()
})

beforeEach(async () => {
  await database.empty()
  metrics = createMetrics('test')
  indexMetrics = createIndexMetrics(metrics, Date.now)
  writers = []
})
afterEach(async () => {
  for (const writer of writers) await writer.close()
})

function startWriter(): CatalogueWriter {
  const writer = startCatalogueWriter({
    postgres: database.postgres,
    reader,
    network,
    rules,
    metrics: indexMetrics,
    logger: quiet,
    pollMs: 20,
    signal: new AbortController().signal,
  })
  writers.push(writer)
  return writer
}

async function headNumber(): Promise<number> {
  return (await reader.head()).number
}

async function caughtUp(): Promise<void> {
  const head = await reader.head()
  await eventually(
    async () => {
      const { rows } = await database.postgres.query('SELECT hash FROM block WHERE number = $1', [
        head.number,
      ])
      return rows[0]?.hash
    },
    (hash) => hash === head.hash,
  )
}

async function statusOf(hash: Hash): Promise<{ verdict: string } | undefined> {
  const { rows } = await database.postgres.query<{ verdict: string }>(
    'SELECT verdict FROM action WHERE hash = $1',
    [hash],
  )
  return rows[0]
}

const asFromScratch = () => expectAsFromScratch({ lived: database, fresh, reader, network, rules })

const addressOf = (wallet: { address: string }) => wallet.address.toLowerCase() as Address

describe('an index that follows a chain', () => {
  test('has what artists publish, with receipts that operators signed', async () => {
    startWriter()
    const artist = Wallet.createRandom()
    const author = addressOf(artist)
    const good = subjectOf(author, 1n)
    const bare = subjectOf(author, 2n)
    const signer = new Wallet(artist.privateKey)
    const hashes = [
      await chain.send(signer, {
        kind: 'track',
        subject: good,
        content: await chain.track(good, { prev: null }),
      }),
      await chain.send(signer, {
        kind: 'track',
        subject: bare,
        content: await chain.track(bare, { prev: null }, 1),
      }),
      await chain.send(signer, {
        kind: 'user',
        subject: userSubject(author),
        content: { prev: null, handle: `a${author.slice(2, 20)}` },
      }),
    ]
    await chain.anvil.mine()
    await caughtUp()
    expect(await Promise.all(hashes.map(statusOf))).toEqual([
      { verdict: 'applied' },
      { verdict: 'missingReceipts' },
      { verdict: 'applied' },
    ])
    const { rows } = await database.postgres.query('SELECT id, operators FROM track WHERE author = $1', [
      author,
    ])
    const [first, second] = chain.operators
    expect(rows).toEqual([{ id: good, operators: [first?.operator, second?.operator] }])
    const text = await metrics.registry.metrics()
    expect(text).toMatch(/indexer_events_total\{kind="track",verdict="missingReceipts".*\} [1-9]/)
    expect(text).toMatch(new RegExp(`indexer_indexed_block\\{.*\\} ${await headNumber()}\n`))
    await chain.anvil.mine(4)
    await caughtUp()
    await asFromScratch()
  })

  test('lives through reorganisations and comes to what a fresh one makes of the chain', async () => {
    startWriter()
    const signer = new Wallet(Wallet.createRandom().privateKey)
    const author = addressOf(signer)
    const subject = userSubject(author)
    let sent: Hash | undefined
    for (const [depth, name] of [
      [1, 'ut'],
      [3, 're'],
      [2, 'mi'],
      [4, 'fa'],
    ] as const) {
      sent = await chain.send(signer, { kind: 'user', subject, content: { prev: null, name } })
      await chain.anvil.mine(depth)
      await caughtUp()
      expect(await statusOf(sent)).toEqual({ verdict: 'applied' })
      // The block with the action goes, and the action with it.
      await chain.anvil.rpc('anvil_reorg', [depth, []])
      await caughtUp()
      expect(await statusOf(sent)).toBeUndefined()
      const { rows } = await database.postgres.query('SELECT 1 FROM profile WHERE id = $1', [author])
      expect(rows).toEqual([])
    }
    expect(await metrics.registry.metrics()).toMatch(/indexer_reorg_total\{.*\} 4\n/)
    await chain.anvil.mine(6)
    await caughtUp()
    await asFromScratch()
  })

  test('notices at its start what was replaced while it was away', async () => {
    const first = startWriter()
    const signer = new Wallet(Wallet.createRandom().privateKey)
    const subject = userSubject(addressOf(signer))
    const hash = await chain.send(signer, { kind: 'user', subject, content: { prev: null, name: 'Sol' } })
    await chain.anvil.mine(2)
    await caughtUp()
    await first.close()
    await chain.anvil.rpc('anvil_reorg', [2, []])
    startWriter()
    await caughtUp()
    expect(await statusOf(hash)).toBeUndefined()
    await chain.anvil.mine(6)
    await caughtUp()
    await asFromScratch()
  })

  test('stops loudly when final blocks are replaced', async () => {
    const first = startWriter()
    await chain.anvil.mine(6)
    await caughtUp()
    const stopped = expect(first.finished).rejects.toThrow(/final/)
    await chain.anvil.rpc('anvil_reorg', [6, []])
    await chain.anvil.mine()
    await stopped
    // As loudly when it is started again, and before anything is built on what is stored.
    await database.postgres.query('UPDATE checkpoint SET rules_version = 0')
    await expect(startWriter().finished).rejects.toThrow(/final/)
    expect((await database.postgres.query('SELECT FROM rebuild')).rows).toEqual([])
  })

  test('goes on after a stop in the middle of catching up', async () => {
    await chain.anvil.mine(30)
    for (const stopAt of [1, 5, 20]) {
      const writer = startWriter()
      await eventually(async () => ((await readCheckpoint(database.postgres))?.indexed ?? 0) >= stopAt)
      await writer.close()
    }
    startWriter()
    await caughtUp()
    await asFromScratch()
  })

  test('goes on when the database has cut its connections', async () => {
    const writer = startWriter()
    await caughtUp()
    await database.postgres.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    )
    await chain.anvil.mine()
    await caughtUp()
    await eventually(() => writer.role === 'writer')
  })

  test('has one writer; another takes over when that one ends', async () => {
    const first = startWriter()
    await eventually(() => first.role === 'writer')
    const second = startWriter()
    await caughtUp()
    expect([first.role, second.role]).toEqual(['writer', 'standby'])
    await first.close()
    await chain.anvil.mine()
    await caughtUp()
    expect(second.role).toBe('writer')
  })

  test('refuses a chain that is not the network’s', async () => {
    network = { ...network, chainId: 5 }
    try {
      await expect(startWriter().finished).rejects.toThrow(/RPC_URL leads to chain 31337/)
    } finally {
      network = { ...network, chainId: 31337 }
    }
  })
})
