import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { contentsOf, createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { indexNaively } from '../fixtures/naive-index.ts'
import { actedLog, indexedNetwork, operators, rules, updatedLog } from '../fixtures/synthetic-network.ts'
import { createTestIndex, published, type TestIndex } from '../fixtures/test-index.ts'
import { openCatalogueIndex } from './catalogue-index.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const guido: Address = `0x${'a1'.repeat(20)}`
const track = subjectOf(guido, 7n)

let database: TestDatabase
let catalogue: TestIndex
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  catalogue = await createTestIndex(database)
})

describe('the chain', () => {
  test('may be empty for long', async () => {
    for (let block = 0; block < 500; block++) catalogue.chain.mine()
    await catalogue.catchUp()
    expect(catalogue.index.checkpoint).toMatchObject({ indexed: 508, finalized: 504, stateHashBlock: 1 })
    // Only what is above finality, the newest final one, and the one with logs.
    expect((await catalogue.rows('block')).length).toBe(6)
  })

  test('gives the same state hashes as the naive index, block by block', async () => {
    await catalogue.put(
      await published(track),
      await published(subjectOf(guido, 10n)),
      await published(track),
    )
    const naive = indexNaively(catalogue.chain.blocks, rules)
    const hashes = (await catalogue.rows('block WHERE logs > 0 ORDER BY number')).map((row) => [
      row.number,
      row.state_hash,
    ])
    expect(hashes).toEqual([...naive.stateHashes])
    expect(catalogue.index.checkpoint.stateHash).toBe([...naive.stateHashes.values()].at(-1))
  })

  test('may count log indexes up to 2^32', async () => {
    const block = catalogue.chain.mine([await published(track)])
    const range = catalogue.chain.range(block.number, block.number)
    const logs = range.logs.map((log) => ({ ...log, logIndex: 0xffffffe2 }))
    await catalogue.index.append({ ...range, logs })
    expect(await catalogue.rows('track')).toMatchObject([{ log_index: 0xffffffe2 }])
  })

  test('is taken back: every table is as if the blocks had never been', async () => {
    await catalogue.put(
      await published(track),
      actedLog({
        author: guido,
        kind: 'user',
        subject: userSubject(guido),
        content: { prev: null, handle: 'ut' },
      }),
    )
    const before = await contentsOf(database.postgres)
    const { checkpoint } = catalogue.index
    const [operator] = operators
    if (!operator) throw new Error('three operators')
    await catalogue.put(
      actedLog({
        author: guido,
        kind: 'delete',
        subject: track,
        content: { prev: await catalogue.digestOf(track) },
      }),
      actedLog({
        author: guido,
        kind: 'user',
        subject: userSubject(guido),
        content: { prev: await catalogue.digestOf(userSubject(guido)), handle: 're' },
      }),
      updatedLog(operator, 'https://elsewhere.example'),
    )
    await catalogue.index.takeBack(checkpoint.indexed)
    const after = await contentsOf(database.postgres)
    for (const table of ['state', 'track', 'profile', 'operator', 'action', 'log', 'operator_event']) {
      expect([table, after[table]]).toEqual([table, before[table]])
    }
    expect(catalogue.index.checkpoint).toMatchObject({
      indexed: checkpoint.indexed,
      stateHash: checkpoint.stateHash,
      stateHashBlock: checkpoint.stateHashBlock,
    })
  })

  test('cannot be taken back below finality', async () => {
    await expect(catalogue.index.takeBack(catalogue.index.checkpoint.finalized - 1)).rejects.toThrow(
      /was final/,
    )
  })

  test('is followed without a gap: a range that does not begin where the index ends is refused', async () => {
    catalogue.chain.mine()
    catalogue.chain.mine()
    await expect(
      catalogue.index.append(catalogue.chain.range(catalogue.chain.head, catalogue.chain.head)),
    ).rejects.toThrow(/the index ends at 8/)
  })
})

describe('an index', () => {
  test('is opened again where it stopped', async () => {
    await catalogue.put(await published(track))
    const { checkpoint } = catalogue.index
    await catalogue.reopen()
    expect(catalogue.index.checkpoint).toEqual(checkpoint)
    await catalogue.put(await published(subjectOf(guido, 11n)))
    expect(await catalogue.lastVerdicts(1)).toMatchObject([{ verdict: 'applied' }])
  })

  test('that was interrupted in mid-range holds nothing of it', async () => {
    const before = await contentsOf(database.postgres)
    const log = await published(track)
    catalogue.chain.mine([log])
    catalogue.chain.mine([await published(subjectOf(guido, 12n))])
    const range = catalogue.chain.range(9, catalogue.chain.head)
    await expect(catalogue.index.append(range, AbortSignal.abort(new Error('closing')))).rejects.toThrow(
      'closing',
    )
    // A second log with the same place breaks the transaction in its middle.
    const twice = { ...range, logs: [...range.logs, ...range.logs.slice(-1)] }
    await expect(catalogue.index.append(twice)).rejects.toThrow(/duplicate key/)
    expect(await contentsOf(database.postgres)).toEqual(before)
    await catalogue.index.append(range)
    expect(await catalogue.rows('track')).toHaveLength(2)
  })

  test('of another network is refused', async () => {
    const other = { ...indexedNetwork, catalog: `0x${'ee'.repeat(20)}` }
    const opening = openCatalogueIndex({ postgres: database.postgres, network: other, rules })
    await expect(opening).rejects.toThrow(/holds the index of the Catalog 0x0{38}aa/)
  })

  test('that another process has moved on is not written to', async () => {
    const { index: other } = catalogue
    await catalogue.reopen()
    const log = await published(track)
    catalogue.chain.mine([log])
    await other.append(catalogue.chain.range(9, 9))
    const before = await contentsOf(database.postgres)
    catalogue.chain.drop(1)
    catalogue.chain.mine([])
    await expect(catalogue.index.append(catalogue.chain.range(9, 9))).rejects.toThrow()
    expect(await contentsOf(database.postgres)).toEqual(before)
  })
})
