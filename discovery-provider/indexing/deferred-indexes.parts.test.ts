import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { createSyntheticChain } from '../fixtures/synthetic-chain.ts'
import {
  actedLog,
  indexedNetwork,
  operators,
  registeredLog,
  rules,
  stakedLog,
} from '../fixtures/synthetic-network.ts'
import { published } from '../fixtures/test-index.ts'
import { openCatalogueIndex } from './catalogue-index.ts'
import { isIndexComplete } from './deferred-indexes.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const guido: Address = `0x${'a1'.repeat(20)}`
const track = subjectOf(guido, 7n)

let database: TestDatabase
let indexesAfterMigration: string[]
beforeEach(async () => {
  database = await createTestDatabase()
  indexesAfterMigration = await indexes()
})
afterEach(() => database.drop())

const open = () => openCatalogueIndex({ postgres: database.postgres, network: indexedNetwork, rules })

async function indexes(): Promise<string[]> {
  const { rows } = await database.postgres.query<{ indexdef: string }>(
    `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef`,
  )
  return rows.map(({ indexdef }) => indexdef)
}

async function rows(table: string): Promise<Record<string, unknown>[]> {
  return (await database.postgres.query(`SELECT * FROM ${table}`)).rows
}

/** A chain with a track that somebody has saved. */
async function savedTrack() {
  const chain = createSyntheticChain()
  chain.mine([...operators.map(registeredLog), ...operators.map((operator) => stakedLog(operator))])
  while (chain.head < 8) chain.mine()
  chain.mine([await published(track, { title: 'Ut queant laxis' })])
  const save = { target: track, on: true, atMs: 1 }
  chain.mine([actedLog({ author: guido, kind: 'save', subject: userSubject(guido), content: save })])
  return chain
}

describe('a first synchronisation', () => {
  test('does without indexes that only readers need, and has all of them in the end', async () => {
    const chain = await savedTrack()
    const index = await open()
    const during = await indexes()
    expect(during.length).toBeLessThan(indexesAfterMigration.length - 20)
    // Those by which rows are found to be written stay.
    expect(during.filter((text) => text.includes('UNIQUE')).length).toBeGreaterThan(20)
    expect(await isIndexComplete(database.postgres)).toBe(false)
    await index.append(chain.range(1, chain.head))
    expect(await index.complete()).toBe(true)
    expect(await indexes()).toEqual(indexesAfterMigration)
    expect(await isIndexComplete(database.postgres)).toBe(true)
    expect(await index.complete()).toBe(false)
  })

  test('leaves word of everything in its end, of each change after that', async () => {
    const chain = await savedTrack()
    const index = await open()
    await index.append(chain.range(1, chain.head))
    for (const table of ['search_word', 'catalogue_change', 'manifest_due', 'ranking_change']) {
      expect([table, await rows(table)]).toEqual([table, []])
    }
    await index.complete()
    expect((await rows('search_word')).map(({ word }) => word)).toEqual(
      expect.arrayContaining(['queant', 'laxis']),
    )
    expect(await rows('catalogue_change')).toMatchObject([{ author: guido }])
    expect(await rows('manifest_due')).toMatchObject([{ track }])
    expect(await rows('ranking_change')).toMatchObject([{ track }])
    chain.mine([await published(subjectOf(guido, 8n), { title: 'Resonare fibris' })])
    await index.append(chain.range(chain.head, chain.head))
    expect((await rows('search_word')).map(({ word }) => word)).toContain('resonare')
    expect(await rows('manifest_due')).toHaveLength(2)
  })

  test('counts in its end, and keeps count after that', async () => {
    const chain = await savedTrack()
    const index = await open()
    await index.append(chain.range(1, chain.head))
    expect(await rows('tally')).toEqual([])
    await index.complete()
    expect(await rows('tally')).toEqual([{ subject: track, what: 'saves', total: 1 }])
    const save = { target: track, on: true, atMs: 1 }
    const other: Address = `0x${'b2'.repeat(20)}`
    chain.mine([actedLog({ author: other, kind: 'save', subject: userSubject(other), content: save })])
    await index.append(chain.range(chain.head, chain.head))
    expect(await rows('tally')).toEqual([{ subject: track, what: 'saves', total: 2 }])
    await index.takeBack(chain.head - 2)
    expect(await rows('tally')).toEqual([])
  })

  test('that is taken back before its end counts what is left', async () => {
    const chain = await savedTrack()
    const index = await open()
    await index.append(chain.range(1, chain.head))
    await index.takeBack(chain.head - 1)
    await index.complete()
    expect(await rows('tally')).toEqual([])
  })

  test('that ends anywhere goes on where it was, and makes only what is missing', async () => {
    const chain = await savedTrack()
    const first = await open()
    await first.append(chain.range(1, 9))
    const second = await open()
    expect(await isIndexComplete(database.postgres)).toBe(false)
    await second.append(chain.range(10, chain.head))
    const stopping = new AbortController()
    const query = jest.spyOn(stopping.signal, 'throwIfAborted')
    // Two are begun at once; the third is asked for when one of them is there.
    query.mockImplementation(() => {
      if (query.mock.calls.length > 2) throw new Error('killed')
    })
    await expect(second.complete(stopping.signal)).rejects.toThrow('killed')
    const partly = await indexes()
    expect(partly.length).toBeLessThan(indexesAfterMigration.length)
    const third = await open()
    expect(await indexes()).toEqual(partly)
    expect(await third.complete()).toBe(true)
    expect(await indexes()).toEqual(indexesAfterMigration)
    expect(await rows('save')).toHaveLength(1)
    expect(await rows('tally')).toEqual([{ subject: track, what: 'saves', total: 1 }])
  })

  test('is not begun anew by an index that has been there', async () => {
    const chain = await savedTrack()
    const index = await open()
    await index.append(chain.range(1, chain.head))
    await index.complete()
    await open()
    expect(await indexes()).toEqual(indexesAfterMigration)
  })
})
