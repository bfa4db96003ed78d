import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createLogger } from '../process/index.ts'
import {
  createTransactionLine,
  openPostgres,
  type Postgres,
  type TransactionLine,
  together,
} from './index.ts'
import { ownSchema } from './testing/own-schema.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

describe('a line of transactions', () => {
  let schema: Awaited<ReturnType<typeof ownSchema>>
  let postgres: Postgres
  let line: TransactionLine

  beforeEach(async () => {
    schema = await ownSchema()
    postgres = openPostgres({ url: schema.url, logger, max: 3 })
    line = createTransactionLine(postgres)
    await postgres.query('CREATE TABLE note (id serial PRIMARY KEY, body text NOT NULL UNIQUE)')
  })
  afterEach(async () => {
    await postgres.close()
    await schema.drop()
  })

  const write = (...bodies: string[]) =>
    line.add((statements) =>
      together(bodies.map((body) => statements.query('INSERT INTO note (body) VALUES ($1)', [body]))),
    )

  async function bodies(): Promise<string[]> {
    const { rows } = await postgres.query<{ body: string }>('SELECT body FROM note ORDER BY id')
    return rows.map(({ body }) => body)
  }

  test('does them in their order, one at a time', async () => {
    await Promise.all([write('ut', 're'), write('mi'), write('fa', 'sol')])
    expect(await bodies()).toEqual(['ut', 're', 'mi', 'fa', 'sol'])
    await write('la')
    expect(await bodies()).toHaveLength(6)
  })

  test('makes statements when they are added, and goes on with those that wait for an answer', async () => {
    const made: string[] = []
    const first = write('ut')
    const second = line.add(async (statements) => {
      made.push('at once')
      const { rows } = await statements.query<{ count: number }>('SELECT count(*) FROM note')
      await statements.query('INSERT INTO note (body) VALUES ($1)', [`after ${rows[0]?.count}`])
    })
    expect(made).toEqual(['at once'])
    await Promise.all([first, second])
    expect(await bodies()).toEqual(['ut', 'after 1'])
  })

  test('takes one back that fails, sends none of those behind it, and is ready for more', async () => {
    const outcomes = await Promise.allSettled([
      write('ut'),
      write('re', 'ut', 'mi'),
      write('fa'),
      write('sol'),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected'])
    for (const outcome of outcomes.slice(1)) {
      expect(outcome).toMatchObject({ reason: { message: expect.stringContaining('duplicate key') } })
    }
    expect(await bodies()).toEqual(['ut'])
    await write('re')
    expect(await bodies()).toEqual(['ut', 're'])
  })

  test('commits nothing of work that fails by itself', async () => {
    const failing = line.add(async (statements) => {
      const inserted = statements.query(`INSERT INTO note (body) VALUES ('ut')`)
      await Promise.all([inserted, Promise.reject(new Error('no rows'))])
    })
    await expect(failing).rejects.toThrow('no rows')
    expect(await bodies()).toEqual([])
  })

  test('gives its connection back when there is nothing to do', async () => {
    const other = openPostgres({ url: schema.url, logger, max: 1 })
    try {
      await createTransactionLine(other).add((statements) => statements.query('SELECT 1'))
      await other.ping()
    } finally {
      await other.close()
    }
  })

  test('outlives a lost connection', async () => {
    const lost = line.add((statements) => statements.query('SELECT pg_terminate_backend(pg_backend_pid())'))
    const behind = write('ut')
    await expect(lost).rejects.toThrow()
    await expect(behind).rejects.toThrow()
    await write('re')
    expect(await bodies()).toEqual(['re'])
  })
})
