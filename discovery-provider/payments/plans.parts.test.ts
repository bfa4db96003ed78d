import { prepared } from '@hexachord/platform/postgres'
import { type Address, subjectOf } from '@hexachord/protocol/names'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { planOf } from '../fixtures/plan.ts'
import { incomeQueryOf, operatorIncomeQueryOf } from './read-income.ts'
import { selectTerms, termsQuery } from './read-terms.ts'

// Some seconds of writing before the first test.
jest.setTimeout(60_000)

const account: Address = `0x${'0'.repeat(38)}23`
const track = subjectOf(account, 7n)

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  const { postgres } = database
  const address = (n: string) => `'0x' || lpad((${n})::text, 40, '0')`
  const trackId = `${address('i % 500')} || '-' || i % 40`
  await postgres.query(
    `INSERT INTO income SELECT ${address('i % 50')}, date '2026-01-01' + i / 50, ${trackId}, 1, 'payee',
       ${address('(i + 7) % 50')}, 1, 1, 1 FROM generate_series(1, 20000) AS i`,
  )
  await postgres.query(
    `INSERT INTO operator_income SELECT ${address('i % 50')}, date '2026-01-01' + i / 50, 1, 1, 1
     FROM generate_series(1, 10000) AS i`,
  )
  await postgres.query(
    `INSERT INTO track_terms SELECT ${address('i')} || '-7', v, 134, 1000, 0, '{}', '{}', v, 1, NULL
     FROM generate_series(1, 3000) AS i, generate_series(1, 3) AS v`,
  )
  await postgres.query(
    `INSERT INTO track_owner SELECT ${address('i')} || '-7', 1, 1, '0x' FROM generate_series(1, 9000) AS i`,
  )
  await postgres.query('INSERT INTO track_income SELECT track, version, 1, 1, 1, 1 FROM track_terms')
  await postgres.query('VACUUM ANALYZE')
})
afterAll(() => database.drop())

const after = ['2026-12-20', track, 1, 'payee', account] as const

test.each([
  ['of an account', incomeQueryOf('account', account, undefined, 21), ['income_pkey']],
  ['of an account, a later page', incomeQueryOf('account', account, [...after], 21), ['income_pkey']],
  ['of an owner', incomeQueryOf('owner', account, undefined, 21), ['income_of_owner']],
  ['of an owner, a later page', incomeQueryOf('owner', account, [...after], 21), ['income_of_owner']],
  ['of an operator', operatorIncomeQueryOf(account, '9999-12-31', 21), ['operator_income_pkey']],
])('income %s walks its index, and sorts nothing', async (_, query, indexes) => {
  expect(await planOf(database.postgres, query)).toEqual(indexes)
  const { rows } = await database.postgres.query(prepared('plan', `EXPLAIN ${query.text}`), query.values)
  expect(JSON.stringify(rows)).not.toContain('Sort')
})

test('terms are looked up by their track', async () => {
  const history = await planOf(database.postgres, termsQuery(track, 9, 21))
  expect(history.sort()).toEqual(['track_income_pkey', 'track_terms_pkey'])
  const one = { text: `SELECT ${selectTerms('$1::text')} AS terms`, values: [track] }
  const names = await planOf(database.postgres, one)
  // Of which there is one row.
  expect(names.filter((name) => name !== 'all of payment_checkpoint').sort()).toEqual([
    'track_income_pkey',
    'track_owner_pkey',
    'track_terms_pkey',
  ])
})
