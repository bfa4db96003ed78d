import { type ChainReader, createChainReader } from '@hexachord/platform/chain'
import { type FaultProxy, startFaultProxy } from '@hexachord/platform/chain/testing'
import { createGuardedFetch, type GuardedFetch } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { encodeReceipt } from '@hexachord/protocol/archives'
import { type CatalogueRules, rulesOf } from '@hexachord/protocol/catalogue'
import { type Address, type Hash, subjectOf, userSubject } from '@hexachord/protocol/names'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { type AnvilNetwork, startAnvilNetwork } from '../fixtures/anvil-network.ts'
import {
  type Forgery,
  type MadeArchives,
  makeArchives,
  startArchiveGateway,
} from '../fixtures/archive-gateway.ts'
import { contentsOf, createTestDatabase, quiet, type TestDatabase } from '../fixtures/database.ts'
import { eventually } from '../fixtures/eventually.ts'
import { type CatalogueWriter, startCatalogueWriter } from '../indexing/catalogue-writer.ts'
import { readCheckpoint } from '../indexing/checkpoint.ts'
import { createIndexMetrics } from '../indexing/index.ts'
import { type ArchivePolicy, startFromArchives } from './index.ts'

jest.setTimeout(120_000)

let chain: AnvilNetwork
let rules: CatalogueRules
let network: { chainId: number; catalog: Address; firstBlock: number }
let reader: ChainReader
let proxy: FaultProxy
let prunedReader: ChainReader
let fetcher: GuardedFetch
let database: TestDatabase
let fresh: TestDatabase
let truth: MadeArchives
let stateHashes: { number: number; hash: Hash }[]
let finalized: number

beforeAll(async () => {
  chain = await startAnvilNetwork()
  rules = rulesOf(chain.file)
  network = { chainId: chain.file.chainId, catalog: rules.catalog, firstBlock: chain.file.firstBlock }
  reader = createChainReader({ rpcUrls: [chain.anvil.url] })
  proxy = await startFaultProxy(chain.anvil.url)
  prunedReader = createChainReader({ rpcUrls: [proxy.url] })
  fetcher = createGuardedFetch({ allowPrivateAddresses: true })
  database = await createTestDatabase()
  fresh = await createTestDatabase()
  await publishSome()
  finalized = (await reader.head()).number - rules.placement.finalityBlocks
  // What an index that read the chain has, and how it came there.
  const writer = startWriter(fresh, reader, 'off')
  await caughtUp(fresh)
  await writer.close()
  const { rows } = await fresh.postgres.query<{ number: number; state_hash: Hash }>(
    'SELECT number, state_hash FROM block WHERE logs > 0 ORDER BY number',
  )
  stateHashes = rows.map(({ number, state_hash: hash }) => ({ number, hash }))
  truth = await make()
})
afterAll(async () => {
  await fresh?.drop()
  await database?.drop()
  await fetcher?.close()
  await prunedReader?.close()
  await proxy?.close()
  await reader?.close()
  await chain?.anvil.close()
})

const closing: (() => Promise<void>)[] = []
const said: { level: string; msg: string; err?: { message: string } }[] = []
beforeEach(async () => {
  await database.empty()
  said.length = 0
  proxy.asked.clear()
  proxy.fault = pruneOld
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Artists, a track with receipts, one that is rejected, and silence in between. */
async function publishSome(): Promise<void> {
  for (const name of ['Hildegard', 'Perotinus', 'Leoninus']) {
    const signer = new Wallet(Wallet.createRandom().privateKey)
    const author = signer.address.toLowerCase() as Address
    await chain.send(signer, { kind: 'user', subject: userSubject(author), content: { prev: null, name } })
    await chain.anvil.mine()
    const [good, bare] = [subjectOf(author, 1n), subjectOf(author, 2n)]
    await chain.send(signer, {
      kind: 'track',
      subject: good,
      content: await chain.track(good, { prev: null }),
    })
    await chain.send(signer, {
      kind: 'track',
      subject: bare,
      content: await chain.track(bare, { prev: null }, 1),
    })
    await chain.anvil.mine(9)
  }
  await chain.anvil.mine(8)
}

const make = (forgery?: (epoch: number) => Forgery) =>
  makeArchives(reader, rules, network, {
    finalized,
    stateHashAt: (block) => stateHashes.findLast(({ number }) => number <= block)?.hash ?? genesisStateHash,
    ...(forgery && { forgery }),
  })

/** A node of the chain that has dropped logs and receipts of all blocks that are final. */
function pruneOld(methods: readonly string[]) {
  const dropped = methods.some((method) => method === 'eth_getBlockReceipts' || method === 'eth_getLogs')
  if (!dropped) return undefined
  const error = { code: 4444, message: 'pruned history unavailable' }
  return { status: 200, body: JSON.stringify({ jsonrpc: '2.0', id: null, error }) }
}

/** Logs of single blocks that were asked for by hash are recent ones; the proxy sees no parameters. */
function pruneOnlyAtFirst(): void {
  proxy.fault = (methods) => (methods.includes('eth_getLogs') && !isStarted() ? pruneOld(methods) : undefined)
}

const isStarted = () => said.some(({ msg }) => msg === 'archives have been indexed')

const logger = createLogger({
  service: 'test',
  level: 'debug',
  destination: { write: (line: string) => void said.push(JSON.parse(line)) },
})

function startWriter(into: TestDatabase, from: ChainReader, policy: ArchivePolicy): CatalogueWriter {
  const writer = startCatalogueWriter({
    postgres: into.postgres,
    reader: from,
    network,
    rules,
    metrics: createIndexMetrics(createMetrics('test'), Date.now),
    logger: quiet,
    pollMs: 20,
    prepare: (index, signal) =>
      startFromArchives({ policy, index, reader: from, rules, network, fetch: fetcher, logger, signal }),
    signal: new AbortController().signal,
  })
  closing.push(() => writer.close())
  return writer
}

async function caughtUp(into: TestDatabase): Promise<void> {
  const head = await reader.head()
  await eventually(async () => (await readCheckpoint(into.postgres))?.indexed === head.number)
}

async function gateway(made: MadeArchives) {
  const server = await startArchiveGateway(made)
  closing.push(() => server.close())
  return server
}

async function expectTheSameAsFromTheChain(): Promise<void> {
  await caughtUp(database)
  expect(await contentsOf(database.postgres)).toEqual(await contentsOf(fresh.postgres))
}

const errors = () =>
  said.filter(({ level }) => level === 'error').map(({ msg, err }) => `${msg}: ${err?.message}`)

describe('a provider whose chain has dropped old logs', () => {
  test('comes from archives to what one has that read the chain, byte for byte', async () => {
    expect(truth.entries.length).toBeGreaterThan(4)
    pruneOnlyAtFirst()
    const { origin } = await gateway(truth)
    startWriter(database, prunedReader, [origin])
    await expectTheSameAsFromTheChain()
    expect(errors()).toEqual([])
    expect(isStarted()).toBe(true)
  })

  test('goes on with archives where it had stopped', async () => {
    const { origin } = await gateway({ ...truth, entries: truth.entries.slice(0, 3) })
    const writer = startWriter(database, prunedReader, [origin])
    const reached = truth.entries[2]?.toBlock ?? 0
    await eventually(async () => ((await readCheckpoint(database.postgres))?.indexed ?? 0) >= reached)
    await writer.close()
    pruneOnlyAtFirst()
    const whole = await gateway(truth)
    startWriter(database, prunedReader, [whole.origin])
    await expectTheSameAsFromTheChain()
  })

  test('says so when there is no archive, waits, and takes one that comes later', async () => {
    const made: MadeArchives = { entries: [], blocks: truth.blocks }
    const { origin, asked } = await gateway(made)
    startWriter(database, prunedReader, [origin])
    await eventually(() => asked.length >= 2)
    pruneOnlyAtFirst()
    said.length = 0
    made.entries = truth.entries
    await expectTheSameAsFromTheChain()
  })
})

describe('archives that are false', () => {
  const forged = (blocks: Forgery['blocks']) => make((epoch) => (epoch === epochOfTracks() ? { blocks } : {}))
  /** An epoch with actions in it. */
  const epochOfTracks = () => truth.entries.at(-1)?.epoch ?? 0
  const otherReceipt = encodeReceipt({
    cumulativeGasUsed: '0x1',
    logsBloom: `0x${'00'.repeat(256)}`,
    logs: [],
  })

  test.each<[string, () => Promise<MadeArchives>, RegExp]>([
    ['leave a block out', () => forged((blocks) => blocks.slice(1)), /leaves out block/],
    [
      'alter a receipt',
      () =>
        forged((blocks) =>
          blocks.map((block) => ({ ...block, receipts: block.receipts.with(0, otherReceipt) })),
        ),
      /receipts of block .* are others/,
    ],
    [
      'claim another state hash',
      () =>
        make((epoch) => ({
          ...(epoch === epochOfTracks() && {
            frame: (archive) => ({ ...archive, stateHash: `0x${'66'.repeat(32)}` as Hash }),
          }),
        })),
      /by the rules it is/,
    ],
    [
      'do not follow each other',
      () =>
        make((epoch) => (epoch === epochOfTracks() ? { frame: (one) => ({ ...one, previous: null }) } : {})),
      /does not follow the one before/,
    ],
    [
      'are of another network',
      () => make(() => ({ frame: (archive) => ({ ...archive, chainId: 5 }) })),
      /another network/,
    ],
  ])('and %s are named, and an honest gateway’s are taken', async (_, lies, reason) => {
    pruneOnlyAtFirst()
    const [liar, honest] = [await gateway(await lies()), await gateway(truth)]
    startWriter(database, prunedReader, [liar.origin, honest.origin])
    await expectTheSameAsFromTheChain()
    expect(errors().join()).toMatch(reason)
    expect(errors().join()).toMatch('an archive is false or cannot be had')
  })

  test('are not needed where the chain still has its logs', async () => {
    const liar = await gateway(await forged((blocks) => blocks.slice(1)))
    startWriter(database, reader, [liar.origin])
    await expectTheSameAsFromTheChain()
    expect(errors().join()).toMatch('going on from the chain')
  })

  test('of wrong bytes never come through', async () => {
    const [root = ''] = truth.entries.map((entry) => entry.root)
    const liar = await gateway({ ...truth, blocks: new Map([[root, new Uint8Array([1, 2, 3])]]) })
    startWriter(database, reader, [liar.origin])
    await expectTheSameAsFromTheChain()
    expect(errors().join()).toMatch('it sent other bytes')
  })
})

describe('where archives come from', () => {
  test('“off” asks nobody, and neither does “auto” while the chain has its logs', async () => {
    startWriter(database, reader, 'auto')
    await expectTheSameAsFromTheChain()
    expect(said).toEqual([])
  })

  test('“auto” asks the operators that the registry names now', async () => {
    proxy.fault = pruneOld
    startWriter(database, prunedReader, 'auto')
    await eventually(() => said.some(({ msg }) => msg === 'a gateway gives no list of archives'))
    const start = said.find(({ msg }) => msg === 'starting from archives') as unknown as {
      gateways: string[]
    }
    expect(start.gateways).toEqual(chain.operators.map(({ endpoint }) => endpoint))
  })
})
