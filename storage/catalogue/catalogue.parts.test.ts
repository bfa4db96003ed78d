import { createChainReader } from '@hexachord/platform/chain'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { type RulesTable, signAction } from '@hexachord/protocol/actions'
import { freshNumber, parseAddress, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { startTestChain, type TestChain, type TestOperator } from './fixtures/index.ts'
import { type Catalogue, catalogueMigrations, followCatalogue, OtherNetwork } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

let chain: TestChain
let operators: TestOperator[]
beforeAll(async () => {
  chain = await startTestChain()
  operators = []
  for (let port = 1; port <= 4; port++) {
    operators.push(await chain.register({ endpoint: `http://127.0.0.1:${port}` }))
  }
  await chain.mineIntoNextEpoch()
}, 60_000)
afterAll(() => chain.close())

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

function follow(
  database: Sqlite = memory(),
  { rulesVersions, mostKeptChars }: { rulesVersions?: RulesTable; mostKeptChars?: number } = {},
): Catalogue {
  const reader = createChainReader({ rpcUrls: [chain.rpcUrl] })
  const { signal } = new AbortController()
  const network = { ...chain.network, rulesVersions: rulesVersions?.map((entry) => ({ ...entry })) }
  const pacing = { pollMs: 20, mostKeptChars }
  const catalogue = followCatalogue({ database, reader, network, signal, logger, ...pacing })
  opened.push(
    () => reader.close(),
    () => catalogue.close(),
  )
  return catalogue
}

function memory(): Sqlite {
  return openSqlite(':memory:', { migrations: catalogueMigrations })
}

const soon = () => AbortSignal.timeout(10_000)

async function publishProfile(catalogue: Catalogue, name: string) {
  const author = Wallet.createRandom()
  const address = parseAddress(author.address)
  const action = await signAction(author, catalogue.rules.domain, {
    author: address,
    nonce: freshNumber(crypto.getRandomValues.bind(crypto)),
    kind: 'user',
    subject: userSubject(address),
    content: { prev: null, name },
    deadline: 4_000_000_000,
  })
  const { hash, ...signed } = action
  await chain.act(signed)
  return { hash, subject: userSubject(address), address, author }
}

describe('a catalogue', () => {
  test('knows the operators, their order for a subject, and their keys', async () => {
    const catalogue = follow()
    await catalogue.caughtUp(soon())
    expect(catalogue.indexed()).toBe(await chain.head())
    expect([...catalogue.operators().keys()].sort()).toEqual(operators.map(({ address }) => address).sort())
    const [first] = operators
    if (first === undefined) throw new Error('no operator')
    expect(catalogue.operatorByHotKey(parseAddress(first.hotKey.address))).toMatchObject({
      operator: first.address,
      endpoint: 'http://127.0.0.1:1',
      active: true,
    })
    const subject = subjectOf(first.address, 7n)
    expect(catalogue.ranks(subject)).toMatchObject({ copies: 3, operators: { length: 4 } })
    expect(catalogue.accepted(subject).operators.map(({ operator }) => operator)).toEqual(
      catalogue.ranks(subject).operators.map(({ operator }) => operator),
    )
    expect(catalogue.operatorsAt(chain.network.firstBlock).size).toBe(0)
  })

  test('tells of each action what became of it, once it is stored', async () => {
    const catalogue = follow()
    await catalogue.caughtUp(soon())
    const seen: Subject[] = []
    const told = Promise.withResolvers<void>()
    catalogue.onChange(({ subjects }) => {
      seen.push(...subjects)
      if (subjects.length > 0) told.resolve()
    })
    const before = catalogue.stateHash()
    const { hash, subject, address } = await publishProfile(catalogue, 'Guido of Arezzo')
    await told.promise
    expect(seen).toEqual([subject])
    expect(catalogue.action(hash)).toMatchObject({ verdict: 'applied', subject, signer: address })
    expect(catalogue.subject(subject)).toMatchObject({ kind: 'user', digest: hash, deleted: false })
    expect(catalogue.identity(address, Date.now())).toMatchObject({ controller: address })
    expect(catalogue.stateHash()).not.toBe(before)
  })

  test('goes on after a restart where its database ends, to the same state as a fresh one', async () => {
    const database = memory()
    const first = follow(database)
    await first.caughtUp(soon())
    await first.close()
    await publishProfile(first, 'Hildegard')
    await chain.mine(10)
    const second = follow(database)
    expect(second.indexed()).toBe(first.indexed())
    await second.caughtUp(soon())
    const fresh = follow()
    await fresh.caughtUp(soon())
    expect(second.stateHash()).toBe(fresh.stateHash())
    expect(second.stateHash()).not.toBe(genesisStateHash)
    expect([...second.operators()]).toEqual([...fresh.operators()])
  })

  test('reads the chain again when other rules are in force from other blocks on', async () => {
    const database = memory()
    const first = follow(database)
    await first.caughtUp(soon())
    await publishProfile(first, 'Kassia')
    await first.caughtUp(soon())
    await first.close()
    const second = follow(database, { rulesVersions: [{ fromBlock: 0, version: 1 }] })
    expect(second.indexed()).toBe(chain.network.firstBlock - 1)
    await second.caughtUp(soon())
    expect(second.stateHash()).not.toBe(first.stateHash())
    await second.close()
    const again = follow(database, { rulesVersions: [{ fromBlock: 0, version: 1 }] })
    expect([again.indexed(), again.stateHash()]).toEqual([second.indexed(), second.stateHash()])
  })

  test('stores a range of blocks in several when much changes in it, to the same state', async () => {
    const whole = follow()
    await whole.caughtUp(soon())
    const published = []
    for (const name of ['Leonin', 'Machaut', 'Landini']) published.push(await publishProfile(whole, name))
    await chain.mine(10)
    await whole.caughtUp(soon())
    const database = memory()
    const cut = follow(database, { mostKeptChars: 1 })
    const told: (readonly Subject[])[] = []
    cut.onChange(({ subjects }) => {
      if (subjects.length > 0) told.push(subjects)
      // What is told of is stored, and nothing of what comes after it.
      expect(cut.stateHash()).toBe(whole.stateHashAt(cut.indexed()))
    })
    await cut.caughtUp(soon())
    expect(told.slice(-3)).toEqual(published.map(({ subject }) => [subject]))
    expect([cut.indexed(), cut.stateHash()]).toEqual([whole.indexed(), whole.stateHash()])
    expect([...cut.operators()]).toEqual([...whole.operators()])
    await cut.close()
    const again = follow(database)
    await publishProfile(whole, 'Ciconia')
    await Promise.all([again.caughtUp(soon()), whole.caughtUp(soon())])
    expect(again.stateHash()).toBe(whole.stateHash())
  })

  test('takes back what a reorganisation took from the chain', async () => {
    const catalogue = follow()
    await catalogue.caughtUp(soon())
    const before = catalogue.stateHash()
    const { hash, subject } = await publishProfile(catalogue, 'Perotin')
    await catalogue.caughtUp(soon())
    expect(catalogue.action(hash)?.verdict).toBe('applied')
    const reorganised = Promise.withResolvers<readonly Subject[]>()
    catalogue.onChange((change) => {
      if (change.reorganised) reorganised.resolve(change.subjects)
    })
    await chain.reorganise(1)
    expect(await reorganised.promise).toEqual([subject])
    await catalogue.caughtUp(soon())
    expect(catalogue.action(hash)).toBeUndefined()
    expect(catalogue.subject(subject)).toBeUndefined()
    expect(catalogue.stateHash()).toBe(before)
    const fresh = follow()
    await fresh.caughtUp(soon())
    expect(fresh.stateHash()).toBe(before)
  })

  test('says when operators change', async () => {
    const catalogue = follow()
    await catalogue.caughtUp(soon())
    const changed = Promise.withResolvers<void>()
    catalogue.onChange((change) => {
      if (change.operators) changed.resolve()
    })
    const late = await chain.register({ endpoint: 'http://127.0.0.1:5' })
    await changed.promise
    await catalogue.caughtUp(soon())
    expect(catalogue.operators().get(late.address)?.active).toBe(true)
    const subject = subjectOf(late.address, 1n)
    expect(catalogue.ranks(subject).operators).toHaveLength(4)
    await chain.mineIntoNextEpoch()
    await catalogue.caughtUp(soon())
    expect(catalogue.ranks(subject).operators).toHaveLength(5)
  })

  test('refuses the database of another network', async () => {
    const database = memory()
    const catalogue = follow(database)
    await catalogue.close()
    const network = { ...chain.network, firstBlock: chain.network.firstBlock + 1 }
    const reader = createChainReader({ rpcUrls: [chain.rpcUrl] })
    const { signal } = new AbortController()
    expect(() => followCatalogue({ database, reader, network, signal, logger })).toThrow(OtherNetwork)
    await reader.close()
  })

  test('stops waiting when its caller does', async () => {
    const catalogue = follow()
    await expect(catalogue.caughtUp(AbortSignal.abort(new Error('given up')))).rejects.toThrow('given up')
  })
})
