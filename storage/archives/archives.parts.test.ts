import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createChainReader } from '@hexachord/platform/chain'
import { type FaultProxy, startFaultProxy } from '@hexachord/platform/chain/testing'
import { createApp, createGuardedFetch, finishApp, type GuardedFetch, listen } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { signAction } from '@hexachord/protocol/actions'
import {
  type ArchiveEntry,
  archivedBlocks,
  archiveEntrySchema,
  decodeArchive,
  logsOfReceipt,
  partsOf,
} from '@hexachord/protocol/archives'
import { carFileOf, openCar } from '@hexachord/protocol/cars'
import { freshNumber, parseAddress, userSubject } from '@hexachord/protocol/names'
import { listOf } from '@hexachord/protocol/rest'
import { domainOf } from '@hexachord/protocol/signing'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { startTestChain, type TestChain, testRules } from '../catalogue/fixtures/index.ts'
import { type Catalogue, catalogueMigrations, followCatalogue } from '../catalogue/index.ts'
import { createGateway } from '../gateway/index.ts'
import { eventually as untilIt } from '../ipfs/fixtures/eventually.ts'
import { createEmbeddedIpfs, type IpfsNode, ipfsMigrations } from '../ipfs/index.ts'
import { type ArchiveKeeper, archiveMigrations, archiveRoutes, keepArchives } from './index.ts'

jest.setTimeout(60_000)

const logger = createLogger({ service: 'test', level: 'silent' })
const self = parseAddress(`0x${'ee'.repeat(20)}`)

let chain: TestChain
let proxy: FaultProxy
let fetcher: GuardedFetch
beforeAll(async () => {
  chain = await startTestChain()
  proxy = await startFaultProxy(chain.rpcUrl)
  fetcher = createGuardedFetch({ allowPrivateAddresses: true })
})
afterAll(async () => {
  await fetcher?.close()
  await proxy?.close()
  await chain?.close()
})

const eventually = (holds: () => boolean) => untilIt(holds, Boolean, 20_000)

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
  proxy.fault = () => undefined
})

type Node = {
  readonly catalogue: Catalogue
  readonly archives: ArchiveKeeper
  readonly ipfs: IpfsNode
  readonly origin: string
  restartArchives(): Promise<ArchiveKeeper>
}

/** A node's catalogue, blocks, archives and HTTP. @param lie changes what its list says */
async function startNode(
  rpcUrl = chain.rpcUrl,
  lie: (entries: ArchiveEntry[]) => ArchiveEntry[] = (entries) => entries,
): Promise<Node> {
  const directory = await mkdtemp(join(tmpdir(), 'hexachord-archives-'))
  const database = openSqlite(':memory:', {
    migrations: [...ipfsMigrations, ...catalogueMigrations, ...archiveMigrations],
  })
  const reader = createChainReader({ rpcUrls: [chain.rpcUrl] })
  const archiveReader = createChainReader({ rpcUrls: [rpcUrl] })
  const { network } = chain
  const { signal } = new AbortController()
  const catalogue = followCatalogue({ database, reader, network, signal, logger, pollMs: 20 })
  const ipfs = await createEmbeddedIpfs({ directory, database, bitswap: false, logger })
  const keep = () =>
    keepArchives({
      ...{ database, catalogue, network, ipfs, self, logger, signal, fetch: fetcher },
      reader: archiveReader,
      pollMs: 20,
    })
  let archives = keep()
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  app.use(archiveRoutes({ archives: { page: (after, limit) => lie(archives.page(after, limit)) } }))
  app.use(createGateway({ ipfs, cacheBytes: 1 << 20 }).routes)
  const server = await listen(finishApp(app), { host: '127.0.0.1', port: 0, graceMs: 0 })
  opened.push(async () => {
    await server.close()
    await archives.close()
    await catalogue.close()
    await ipfs.close()
    await archiveReader.close()
    await reader.close()
    database.close()
    await rm(directory, { recursive: true })
  })
  return {
    catalogue,
    get archives() {
      return archives
    },
    ipfs,
    origin: server.origin,
    async restartArchives() {
      await archives.close()
      archives = keep()
      return archives
    },
  }
}

async function publishProfile(): Promise<void> {
  const author = Wallet.createRandom()
  const address = parseAddress(author.address)
  const { hash: _, ...action } = await signAction(author, domainOf(chain.network), {
    author: address,
    nonce: freshNumber(crypto.getRandomValues.bind(crypto)),
    kind: 'user',
    subject: userSubject(address),
    content: { prev: null, name: 'Hermannus' },
    deadline: 4_000_000_000,
  })
  await chain.act(action)
}

/** Mines until everything so far is in a final epoch. @returns the last block of that epoch */
async function finishEpoch(): Promise<number> {
  const head = await chain.head()
  const end = Math.floor(head / testRules.epochBlocks) * testRules.epochBlocks + testRules.epochBlocks - 1
  await chain.mine(end + testRules.finalityBlocks - head + 1)
  return end
}

/** All that a node holds, once it reaches a block. */
async function archivesUpTo(block: number, { archives }: Node): Promise<ArchiveEntry[]> {
  await eventually(() => (archives.page(-1, 1000).at(-1)?.toBlock ?? 0) >= block)
  return archives.page(-1, 1000)
}

describe('archives', () => {
  test('are the same on every node, whenever it makes them, and hold every log of the network', async () => {
    const early = await startNode()
    await publishProfile()
    await finishEpoch()
    await publishProfile()
    await publishProfile()
    const end = await finishEpoch()
    const entries = await archivesUpTo(end, early)
    const late = await startNode()
    expect(await archivesUpTo(end, late)).toEqual(entries)

    const reader = createChainReader({ rpcUrls: [chain.rpcUrl] })
    const addresses = [late.catalogue.rules.catalog, ...late.catalogue.rules.operatorContracts]
    const logs = await reader.logs({ addresses, fromBlock: chain.network.firstBlock, toBlock: end })
    await reader.close()
    const archived = []
    let previous: string | null = null
    let next = chain.network.firstBlock
    for (const { root, stateHash, toBlock } of entries) {
      const archive = decodeArchive(await early.ipfs.get(root))
      expect(archive).toMatchObject({ previous, fromBlock: next, toBlock, stateHash })
      expect(stateHash).toBe(late.catalogue.stateHashAt(toBlock))
      expect(await early.ipfs.isPinned(root)).toBe(true)
      const parts = partsOf(archive)
      async function* bytes() {
        for (const { '/': cid } of parts) yield await early.ipfs.get(cid)
      }
      for await (const block of archivedBlocks(bytes())) {
        archived.push(
          ...block.receipts.flatMap(logsOfReceipt).map((log) => ({ ...log, block: block.number })),
        )
      }
      previous = root
      next = toBlock + 1
    }
    expect(archived.filter(({ address }) => addresses.includes(address as never))).toEqual(
      logs.map(({ address, topics, data, blockNumber }) => ({ address, topics, data, block: blockNumber })),
    )
    expect(entries.reduce((sum, entry) => sum + entry.logs, 0)).toBe(logs.length)
  })

  test('cost nothing while nothing happens', async () => {
    const node = await startNode()
    await publishProfile()
    const end = await finishEpoch()
    const before = await archivesUpTo(end, node)
    await chain.mine(5 * testRules.epochBlocks)
    await publishProfile()
    const after = await archivesUpTo(await finishEpoch(), node)
    expect(after).toHaveLength(before.length + 1)
    expect(after.at(-1)?.fromBlock).toBe(end + 1)
  })

  test('are made for what was missed while the node was away', async () => {
    const node = await startNode()
    await publishProfile()
    const before = await archivesUpTo(await finishEpoch(), node)
    await node.archives.close()
    for (let count = 0; count < 3; count++) {
      await publishProfile()
      await finishEpoch()
    }
    const end = await finishEpoch()
    await eventually(() => node.catalogue.indexed() >= end)
    await node.restartArchives()
    await eventually(() => node.archives.page(-1, 1000).length >= before.length + 3)
    expect(node.archives.page(-1, 1000).slice(0, before.length)).toEqual(before)
  })

  test('never hold what is not final', async () => {
    const node = await startNode()
    await publishProfile()
    const end = await finishEpoch()
    const before = await archivesUpTo(end, node)
    await publishProfile()
    const head = await chain.head()
    await eventually(() => node.catalogue.indexed() >= head)
    await chain.reorganise(2)
    await chain.mine(2 * testRules.epochBlocks)
    const final = await chain.head()
    await eventually(() => node.catalogue.indexed() >= final)
    const after = await archivesUpTo(end, node)
    for (const entry of after) expect(entry.stateHash).toBe(node.catalogue.stateHashAt(entry.toBlock))
    expect(after.slice(0, before.length)).toEqual(before)
  })

  test('are listed in pages, and come as a CAR from the gateway', async () => {
    const node = await startNode()
    for (let count = 0; count < 2; count++) {
      await publishProfile()
      await finishEpoch()
    }
    const entries = await archivesUpTo(await finishEpochWithAction(), node)
    const listed: ArchiveEntry[] = []
    let after: string | null = '-1'
    while (after !== null) {
      const response = await fetch(`${node.origin}/archives?after=${after}&limit=2`)
      const page = listOf(archiveEntrySchema).parse(await response.json())
      listed.push(...page.items)
      after = page.next
    }
    expect(listed).toEqual(entries)
    expect((await fetch(`${node.origin}/archives?limit=0`)).status).toBe(400)

    const last = entries.at(-1)
    const car = await fetch(`${node.origin}/ipfs/${last?.root}?format=car`)
    const file = carFileOf(new Uint8Array(await car.arrayBuffer()))
    const { roots, blocks } = await openCar(file.stream(), { maximumBlocks: 10 })
    const found = []
    for await (const block of blocks) found.push(block)
    // One archive, and not all that came before it.
    expect(roots).toEqual([last?.root])
    expect(found.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(last?.byteLength)
  })

  async function finishEpochWithAction(): Promise<number> {
    await publishProfile()
    return finishEpoch()
  }
})

describe('a node whose chain has dropped receipts', () => {
  const pruned = {
    status: 200,
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: null,
      error: { code: 4444, message: 'pruned history unavailable' },
    }),
  }

  test('takes archives from peers, holds them against headers, and comes to the same', async () => {
    const peer = await startNode()
    await chain.register({ endpoint: peer.origin })
    await publishProfile()
    const end = await finishEpoch()
    const entries = await archivesUpTo(end, peer)
    proxy.fault = (methods) => (methods.includes('eth_getBlockReceipts') ? pruned : undefined)
    const node = await startNode(proxy.url)
    expect(await archivesUpTo(end, node)).toEqual(entries)
    for (const { root } of entries) expect(await node.ipfs.isPinned(root)).toBe(true)
  })

  test('takes no false one, and waits for an honest peer', async () => {
    await publishProfile()
    const end = await finishEpoch()
    // Names for each epoch the archive of the first.
    const liar = await startNode(chain.rpcUrl, (entries) =>
      entries.map((entry) => ({ ...entry, root: firstRoot ?? entry.root })),
    )
    const [first] = await archivesUpTo(end, liar)
    const firstRoot = first?.root
    await chain.register({ endpoint: liar.origin })
    const [, second] = liar.archives.page(-1, 2)
    proxy.fault = (methods) => (methods.includes('eth_getBlockReceipts') ? pruned : undefined)
    const node = await startNode(proxy.url)
    await eventually(() => (proxy.asked.get('eth_getBlockReceipts') ?? 0) > 2)
    await eventually(() => node.archives.page(-1, 1000).length >= 1)
    expect(node.archives.page(-1, 1000)).toEqual([first])
    proxy.fault = () => undefined
    await eventually(() => node.archives.page(-1, 1000).length >= 2)
    expect(node.archives.page(-1, 2)[1]).toEqual(second)
  })
})
