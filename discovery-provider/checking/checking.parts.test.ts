import { createLogger, createMetrics } from '@hexachord/platform/process'
import type { Json } from '@hexachord/protocol/canonical'
import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { eventually } from '../fixtures/eventually.ts'
import { authors, createDice, randomLog } from '../fixtures/random-actions.ts'
import { actedLog, rules } from '../fixtures/synthetic-network.ts'
import { createTestIndex, published, type TestIndex } from '../fixtures/test-index.ts'
import { compareEntry, type Mismatch } from './compare-entry.ts'
import { createDailyChecks } from './index.ts'
import { findDrift, repairDrift } from './tally-drift.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const signal = new AbortController().signal
let database: TestDatabase
let catalogue: TestIndex
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

async function stateOf(): Promise<Map<string, Json>> {
  const rows = await catalogue.rows('state')
  return new Map(rows.map(({ key, value }) => [String(key), value as Json]))
}

function compare(key: string): Promise<Mismatch[] | undefined> {
  return database.postgres.transaction((client) => compareEntry(client, rules, key, signal))
}

describe('an entry of the state', () => {
  test('is the same when it is derived from the logs on which it depends, whatever has happened', async () => {
    catalogue = await createTestIndex(database)
    const dice = createDice(12)
    await catalogue.put(...(await Promise.all(authors.map((author) => published(subjectOf(author, 1n))))))
    for (let step = 0; step < 7; step++) {
      const state = await stateOf()
      const logs = []
      for (let count = 16; count > 0; count--) logs.push(await randomLog(dice, state))
      await catalogue.put(...logs)
    }
    const keys = [...(await stateOf()).keys()]
    const spaces = new Set(keys.map((key) => key.split('/')[0]))
    expect([...spaces]).toEqual(expect.arrayContaining(['subject', 'handle', 'identity', 'follow', 'react']))
    for (const key of keys) expect([key, await compare(key)]).toEqual([key, []])
  })
})

describe('a catalogue with counters', () => {
  const guido: Address = `0x${'a1'.repeat(20)}`
  const hilda: Address = `0x${'b2'.repeat(20)}`
  const track = subjectOf(guido, 7n)
  const hers = { author: hilda, subject: userSubject(hilda) }
  const save = (on: boolean, atMs: number) =>
    actedLog({ ...hers, kind: 'save', content: { target: track, on, atMs } })
  const query = (text: string) => database.postgres.query(text)
  const tallies = () => catalogue.rows('tally ORDER BY subject, what')

  beforeEach(async () => {
    catalogue = await createTestIndex(database)
    const follow = { user: guido, on: true, atMs: 1 }
    await catalogue.put(
      await published(track),
      actedLog({ ...hers, kind: 'follow', content: follow }),
      save(true, 2),
    )
  })

  test.each([
    [
      'state',
      `UPDATE state SET value = (value::jsonb || '{"atMs": 9}')::json WHERE key LIKE 'save/%'`,
      'save',
    ],
    ['state', `DELETE FROM state WHERE key LIKE 'save/%'`, 'save'],
    ['table', 'DELETE FROM save', 'save'],
    ['table', `UPDATE track SET title = 'another'`, 'track'],
    ['verdict', `UPDATE action SET verdict = 'malformed' WHERE subject = '${track}'`, ''],
  ] as const)('tells that what stands in the %s is wrong after: %s', async (where, damage, name) => {
    const key = `save/${hilda}/${track}`
    expect(await compare(key)).toEqual([])
    await query(damage)
    expect(await compare(key)).toEqual([{ where, name: expect.stringContaining(name) }])
  })

  test('counts them anew and repairs what has drifted, though it has grown meanwhile', async () => {
    const right = await tallies()
    expect(await findDrift(database.postgres, signal)).toEqual([])
    await query(`UPDATE tally SET total = 5 WHERE what = 'saves'`)
    await query(`DELETE FROM tally WHERE what = 'followers'`)
    await query(`INSERT INTO tally VALUES ('nobody', 'followers', 3)`)
    const drifts = await findDrift(database.postgres, signal)
    expect(drifts).toHaveLength(3)
    expect(drifts).toEqual(
      expect.arrayContaining([
        { subject: track, what: 'saves', stored: 5, counted: 1 },
        { subject: guido, what: 'followers', stored: 0, counted: 1 },
        { subject: 'nobody', what: 'followers', stored: 3, counted: 0 },
      ]),
    )
    await catalogue.put(save(false, 3))
    await repairDrift(database.postgres, drifts)
    expect(await tallies()).toEqual(right.filter(({ what }) => what !== 'saves'))
    expect(await findDrift(database.postgres, signal)).toEqual([])
  })

  test('is checked when somebody asks for it, and tells of what is wrong', async () => {
    await query('UPDATE tally SET total = total + 1')
    await query(`UPDATE track SET title = 'another'`)
    const metrics = createMetrics('test')
    const lines: string[] = []
    const destination = { write: (line: string) => void lines.push(line) }
    const logger = createLogger({ service: 'test', level: 'info', destination })
    const { postgres } = database
    const checks = createDailyChecks({ postgres, rules, metrics, logger, now: Date.now, random: Math.random })
    const stopping = new AbortController()
    const running = checks.run(stopping.signal)
    checks.startNow()
    await eventually(() => lines.join('').includes('checked what is stored'))
    stopping.abort()
    await running
    const text = await metrics.registry.metrics()
    expect(text).toMatch(/counter_drift_rows\{.*\} 3\n/)
    expect(text).toMatch(/check_mismatches\{.*\} [1-9]/)
    expect(text).toMatch(/check_failures_total\{.*\} 0\n/)
    expect(lines.join('')).toContain(`track ${track}`)
    expect(await findDrift(postgres, signal)).toEqual([])
  })

  test('is not checked to the end when the process ends', async () => {
    const ended = AbortSignal.abort(new Error('ended'))
    await expect(findDrift(database.postgres, ended)).rejects.toThrow('ended')
    expect(await catalogue.rows("pg_tables WHERE tablename = 'recount'")).toEqual([])
  })
})
