import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { contentsOf, createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { indexNaively } from '../fixtures/naive-index.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog, rules } from '../fixtures/synthetic-network.ts'
import { createTestIndex, published, type TestIndex } from '../fixtures/test-index.ts'

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

function saved(on: boolean, atMs: number) {
  const content = { target: track, on, atMs: firstSecond * 1000 + atMs }
  return actedLog({ author: guido, kind: 'save', subject: userSubject(guido), content })
}

describe('a range that is judged while the one before it is written', () => {
  test('sees what that one changes', async () => {
    const { chain, index } = catalogue
    const logs = [await published(track), saved(true, 1), saved(false, 2), saved(true, 3), saved(true, 2)]
    for (const log of logs) chain.mine([log])
    const written: Promise<void>[] = []
    for (let block = 9; block <= chain.head; block++) {
      written.push((await index.appendAhead(chain.range(block, block))).written)
    }
    await Promise.all(written)
    expect((await catalogue.lastVerdicts(5)).map(({ verdict }) => verdict)).toEqual([
      ...['applied', 'applied', 'applied', 'applied', 'outdated'],
    ])
    const { stateHash, indexed } = index.checkpoint
    expect(indexed).toBe(chain.head)
    expect(stateHash).toBe([...indexNaively(chain.blocks, rules).stateHashes.values()].at(-1))
    expect(await catalogue.rows('tally')).toMatchObject([{ what: 'saves', total: 1 }])
  })

  test('is not written when that one cannot be, and both are indexed when it can', async () => {
    const { chain, index } = catalogue
    const before = await contentsOf(database.postgres)
    chain.mine([await published(track)])
    chain.mine([saved(true, 1)])
    const [first, second] = [chain.range(9, 9), chain.range(10, 10)]
    // A second log with the same place breaks the transaction in its middle.
    const failing = await index.appendAhead({ ...first, logs: [...first.logs, ...first.logs] })
    await expect(index.append(second)).rejects.toThrow(/duplicate key/)
    await expect(failing.written).rejects.toThrow(/duplicate key/)
    expect(index.checkpoint.indexed).toBe(8)
    expect(await contentsOf(database.postgres)).toEqual(before)
    await index.append(first)
    await index.append(second)
    expect(await catalogue.rows('save')).toHaveLength(1)
  })

  test('is waited for before blocks are taken back', async () => {
    const { chain, index } = catalogue
    const before = await contentsOf(database.postgres)
    chain.mine([await published(track)])
    await index.appendAhead({ ...chain.range(9, 9), finalized: index.checkpoint.finalized })
    await index.takeBack(8)
    expect(await contentsOf(database.postgres)).toEqual(before)
  })
})
