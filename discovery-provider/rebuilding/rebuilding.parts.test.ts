import { openPostgres } from '@hexachord/platform/postgres'
import type { RulesTable } from '@hexachord/protocol/actions'
import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { contentsOf, createTestDatabase, quiet, type TestDatabase } from '../fixtures/database.ts'
import { eventually } from '../fixtures/eventually.ts'
import { actedLog, indexedNetwork, rules } from '../fixtures/synthetic-network.ts'
import { createTestIndex, published, type TestIndex } from '../fixtures/test-index.ts'
import { IndexMoved, openCatalogueIndex } from '../indexing/index.ts'
import { type Rebuild, readRebuild } from './index.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const guido: Address = `0x${'a1'.repeat(20)}`
const hilda: Address = `0x${'b2'.repeat(20)}`
const track = subjectOf(guido, 7n)

let database: TestDatabase
let catalogue: TestIndex
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  catalogue = await createTestIndex(database)
  const hers = { author: hilda, subject: userSubject(hilda) }
  await catalogue.put(
    await published(track),
    await published(track),
    await published(subjectOf(guido, 8n), { unlisted: true }),
    actedLog({ ...hers, kind: 'follow', content: { user: guido, on: true, atMs: 1 } }),
    actedLog({ ...hers, kind: 'save', content: { target: track, on: true, atMs: 2 } }),
    actedLog({
      author: guido,
      kind: 'user',
      subject: userSubject(guido),
      content: { prev: null, handle: 'ut' },
    }),
  )
})

const query = (text: string, values: unknown[] = []) => database.postgres.query(text, values)

function open(versions: RulesTable = rules.versions) {
  const { postgres } = database
  return openCatalogueIndex({ postgres, network: indexedNetwork, rules: { ...rules, versions } })
}

const quietly = {
  now: Date.now,
  onProgress: () => undefined,
  signal: new AbortController().signal,
}

/** Identity of the file in which a table stands. */
async function fileOf(table: string): Promise<unknown> {
  const { rows } = await query('SELECT pg_relation_filenode($1::regclass) AS file', [table])
  return rows[0]?.file
}

/** Names and definitions of everything that belongs to tables. Columns that were dropped leave no gaps behind. */
async function formOf(): Promise<unknown[]> {
  const { rows } = await query(
    `SELECT table_name AS table, column_name AS name, concat_ws(' ',
       row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position), data_type, collation_name,
       is_nullable, column_default, generation_expression) AS form
     FROM information_schema.columns WHERE table_schema = 'public'
     UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
     UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace
     UNION ALL SELECT attrelid::regclass::text, attname || ' is estimated', attoptions::text FROM pg_attribute
       JOIN pg_class c ON c.oid = attrelid WHERE attoptions IS NOT NULL AND relnamespace = 'public'::regnamespace
     ORDER BY 1, 2, 3`,
  )
  return rows
}

describe('a table of another version', () => {
  test('is made anew from the state, with what is counted of it and nothing else', async () => {
    const before = await contentsOf(database.postgres)
    const files = await Promise.all(['follow', 'tally', 'track', 'state'].map(fileOf))
    await query(`UPDATE table_version SET version = 0 WHERE name = 'follow'`)
    await query(`UPDATE follow SET target = 'as it was shown before'`)
    await query(`UPDATE tally SET total = 7`)
    expect(await catalogue.reopen()).toEqual(['follow', 'tally'])
    expect(await contentsOf(database.postgres)).toEqual(before)
    const [follow, tally, ...others] = await Promise.all(['follow', 'tally', 'track', 'state'].map(fileOf))
    expect(others).toEqual(files.slice(2))
    expect([follow, tally]).not.toEqual(files.slice(0, 2))
    expect(await catalogue.reopen()).toBe('nothing')
  })

  test('that is new to the database is filled', async () => {
    await query(`DELETE FROM table_version WHERE name IN ('track', 'operator')`)
    const before = await contentsOf(database.postgres)
    await query('TRUNCATE track, operator')
    expect(await catalogue.reopen()).toEqual(['track', 'operator'])
    expect(await contentsOf(database.postgres)).toEqual(before)
  })

  test('keeps the names and forms of all that belongs to it', async () => {
    const before = await formOf()
    expect(before.length).toBeGreaterThan(300)
    await query('UPDATE table_version SET version = 0')
    await catalogue.reopen()
    expect(await formOf()).toEqual(before)
  })

  test('keeps the index from growing until it has been made anew', async () => {
    await query(`UPDATE table_version SET version = 0 WHERE name = 'pin'`)
    const index = await open()
    catalogue.chain.mine([])
    const range = catalogue.chain.range(catalogue.chain.head, catalogue.chain.head)
    await expect(index.append(range)).rejects.toThrow(/rebuilt before it can grow/)
    await index.rebuild(quietly)
    await index.append(range)
  })
})

describe('an index by other rules', () => {
  test('is made anew from stored logs and comes to the same', async () => {
    const before = await contentsOf(database.postgres)
    const form = await formOf()
    await query('UPDATE checkpoint SET rules_version = 0')
    await query(`UPDATE track SET title = 'by other rules'`)
    await query(`UPDATE state SET value = '{}'`)
    await query(`UPDATE action SET verdict = 'malformed'`)
    await query('DELETE FROM undo')
    expect(await catalogue.reopen()).toBe('everything')
    expect(await contentsOf(database.postgres)).toEqual(before)
    expect(await formOf()).toEqual(form)
    // And goes on from there, in both directions.
    const { checkpoint } = catalogue.index
    await catalogue.put(await published(subjectOf(guido, 11n)))
    await catalogue.index.takeBack(checkpoint.indexed)
    expect((await contentsOf(database.postgres)).state).toEqual(before.state)
  })

  test('is made anew when the network says that other rules were in force', async () => {
    const { stateHash } = catalogue.index.checkpoint
    const later = await open([{ fromBlock: 100_000, version: 2 }])
    await later.rebuild(quietly)
    expect(later.checkpoint.stateHash).not.toBe(stateHash)
    expect(await catalogue.rows('track')).toHaveLength(2)
    // By version 1 of the rules nobody follows anybody.
    expect(await catalogue.rows('follow')).toEqual([])
    const again = await open()
    await again.rebuild(quietly)
    expect(again.checkpoint.stateHash).toBe(stateHash)
  })
})

describe('a rebuild', () => {
  const stepsBefore = async (work: (rebuild: Rebuild) => void | Promise<void>, signal = quietly.signal) => {
    await query('UPDATE checkpoint SET rules_version = 0')
    const index = await open()
    const seen: Promise<void>[] = []
    const onProgress = (rebuild: Rebuild) => void seen.push(Promise.resolve(work(rebuild)))
    await index.rebuild({ now: Date.now, onProgress, signal }).finally(() => Promise.all(seen))
  }

  test('says how far it is, to whoever asks the database', async () => {
    const steps: string[] = []
    await stepsBefore(({ step }) => void (step !== steps.at(-1) && steps.push(step)))
    expect(steps).toEqual([
      'state',
      'track profile playlist comment app notice',
      ...['follow', 'save', 'repost', 'mute', 'reaction', 'pin', 'delegation'],
      ...['comment', 'follow', 'save', 'repost', 'reaction'].map((table) => `tally ${table}`),
      'swap',
    ])
    expect(await readRebuild(database.postgres)).toBeNull()
  })

  test('that is broken off in any step leaves what is read as it was, and the next one is whole', async () => {
    const before = await contentsOf(database.postgres)
    for (const brokenIn of ['state', 'tally save']) {
      const breaking = new AbortController()
      const work = ({ step }: Rebuild) => {
        if (step === brokenIn) breaking.abort(new Error('killed'))
      }
      await expect(stepsBefore(work, breaking.signal)).rejects.toThrow('killed')
      const { checkpoint: _, ...tables } = await contentsOf(database.postgres)
      const { checkpoint: __, ...same } = before
      expect(tables).toEqual(same)
      expect(await readRebuild(database.postgres)).toMatchObject({
        tables: expect.arrayContaining(['state']),
      })
    }
    expect(await catalogue.reopen()).toBe('everything')
    expect(await contentsOf(database.postgres)).toEqual(before)
    expect((await query(`SELECT FROM pg_namespace WHERE nspname = 'building'`)).rows).toEqual([])
  })

  test('writes nothing more once another process builds', async () => {
    const before = await contentsOf(database.postgres)
    let other: Promise<unknown> | undefined
    const overtaken = stepsBefore(async ({ step }) => {
      if (step !== 'state') return
      other ??= catalogue.reopen()
      await other
    })
    await expect(overtaken).rejects.toThrow(IndexMoved)
    expect(await contentsOf(database.postgres)).toEqual(before)
  })

  test('waits with its swap for readers, and keeps none waiting for long', async () => {
    const before = await contentsOf(database.postgres)
    let longestMs = 0
    await database.postgres.transaction(async (slow) => {
      await slow.query('SELECT FROM track')
      let swapped = false
      const rebuilding = stepsBefore(() => undefined).finally(() => {
        swapped = true
      })
      await eventually(async () => (await readRebuild(database.postgres))?.step === 'swap')
      for (let read = 0; read < 40; read++) {
        const startedAt = performance.now()
        expect((await query('SELECT FROM track')).rowCount).toBe(2)
        longestMs = Math.max(longestMs, performance.now() - startedAt)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      expect(swapped).toBe(false)
      await slow.query('COMMIT')
      await rebuilding
      await slow.query('BEGIN')
    })
    expect(longestMs).toBeLessThan(5_000)
    expect(await contentsOf(database.postgres)).toEqual(before)
  })

  describe('of more tracks than are noted within the time of a statement', () => {
    const noted = ['search_word', 'catalogue_change', 'manifest_due', 'ranking_change']
    const slowly = async (seconds: number) => {
      await query(
        `CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(${seconds}); RETURN NULL; END'`,
      )
      for (const table of noted) {
        await query(`CREATE TRIGGER slowly BEFORE INSERT ON ${table} EXECUTE FUNCTION slowly()`)
      }
    }
    afterEach(() => query('DROP FUNCTION slowly CASCADE'))

    test('comes to its end all the same', async () => {
      const before = await contentsOf(database.postgres)
      await slowly(1.5)
      const hasty = openPostgres({ url: database.url, logger: quiet, statementTimeoutMs: 1_000 })
      try {
        await query('UPDATE checkpoint SET rules_version = 0')
        const index = await openCatalogueIndex({ postgres: hasty, network: indexedNetwork, rules })
        await index.rebuild(quietly)
      } finally {
        await hasty.close()
      }
      expect(await contentsOf(database.postgres)).toEqual(before)
    })

    test.each([
      ['words', 'search_word'],
      ['changes in its swap', 'manifest_due'],
    ])('ends with the signal while it notes %s', async (_, table) => {
      await slowly(0)
      await query(`CREATE OR REPLACE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF TG_TABLE_NAME = ''${table}'' THEN PERFORM pg_sleep(600); END IF; RETURN NULL; END'`)
      const stopping = new AbortController()
      const stopped = expect(stepsBefore(() => undefined, stopping.signal)).rejects.toThrow('stopped')
      await eventually(async () => {
        const { rowCount } = await query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
        )
        return rowCount === 1
      })
      stopping.abort(new Error('stopped'))
      await stopped
      expect(await readRebuild(database.postgres)).not.toBeNull()
    })
  })
})
