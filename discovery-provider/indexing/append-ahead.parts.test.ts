import type { PostgresClient } from '@hexachord/platform/postgres'
import { decodeActed } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { type Address, type Hash, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { compareEntry } from '../checking/compare-entry.ts'
import { contentsOf, createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { indexNaively } from '../fixtures/naive-index.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog, rules } from '../fixtures/synthetic-network.ts'
import { createTestIndex, published, type TestIndex } from '../fixtures/test-index.ts'
import type { IndexRange } from './chain-records.ts'

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

/** A playlist of 2,000 tracks, of which one is moved in each of the blocks after that. */
function changeLongList(chain: TestIndex['chain'], times: number): void {
  const list = subjectOf(guido, 20n)
  let prev: Hash | null = null
  const change = (fields: Record<string, Json>) => {
    const log = actedLog({ author: guido, kind: 'playlist', subject: list, content: { prev, ...fields } })
    const { logs } = chain.mine([log])
    prev = logs[0] === undefined ? null : (decodeActed(logs[0])?.hash ?? null)
  }
  const tracks = Array.from({ length: 2_000 }, (_, number) => subjectOf(guido, BigInt(1_000 + number)))
  for (let at = 0; at < tracks.length; at += 80) {
    change({ title: 'All of it', add: tracks.slice(at, at + 80).map((track) => ({ track })) })
  }
  for (let time = 0; time < times; time++) {
    change({ move: [{ track: tracks[1_000 + time] ?? track, to: 0 }] })
  }
}

describe('a long playlist that every block of a range changes', () => {
  test('is indexed in ranges that memory holds, to the same as block by block', async () => {
    const { chain, index } = catalogue
    changeLongList(chain, 500)
    let left: IndexRange | undefined = chain.range(9, chain.head)
    const lasts: number[] = []
    while (left !== undefined) {
      const { range, result, rest }: Awaited<ReturnType<typeof index.appendAhead>> =
        await index.appendAhead(left)
      const kept = result.blocks.flatMap(({ changes }) => [...changes.values()])
      expect(kept.reduce((sum, { afterText }) => sum + afterText.length, 0)).toBeLessThan(17 * 1024 * 1024)
      lasts.push(range.toBlock)
      left = rest
    }
    expect(lasts.length).toBeGreaterThan(2)
    // Nothing to take back, but it waits for what is written.
    await index.takeBack(chain.head)
    expect(index.checkpoint.indexed).toBe(chain.head)
    const together = await contentsOf(database.postgres)

    await catalogue.remake()
    expect(await contentsOf(database.postgres)).toEqual(together)
    const key = `subject/${subjectOf(guido, 20n)}`
    const { postgres } = database
    const look = (client: PostgresClient) => compareEntry(client, rules, key, new AbortController().signal)
    expect(await postgres.transaction(look, { isolation: 'repeatable read' })).toEqual([])

    await catalogue.index.takeBack(chain.head - 3)
    for (let block = chain.head - 2; block <= chain.head; block++) {
      await catalogue.index.append(chain.range(block, block))
    }
    expect((await contentsOf(database.postgres)).state).toEqual(together.state)
    expect(catalogue.index.checkpoint.stateHash).toBe(together.checkpoint?.[0]?.state_hash)
  })
})
