import { type Address, addressSchema, subjectSchema } from '@hexachord/protocol/names'
import {
  type IncomeEntry,
  incomeSchema,
  type OperatorIncome,
  operatorIncomeSchema,
} from '@hexachord/protocol/rest'
import * as z from 'zod'
import { decodeCursor, pageOf, pageQuery } from '../reading/cursor.ts'
import type { Database } from '../reading/entity.ts'
import { userParams } from '../reading/follows.ts'
import { operatorParams } from '../reading/operators.ts'
import { type Route, route } from '../reading/route.ts'
import { readBooks } from './read-terms.ts'

const incomeQuery = pageQuery.extend({
  /** `account`: what the user earned; `owner`: what everybody earned by tracks while they were the user's. */
  as: z.enum(['account', 'owner']).default('account'),
})

const incomeKey = z.tuple([z.iso.date(), subjectSchema, z.int(), z.enum(['payee', 'curator']), addressSchema])
type IncomeKey = z.output<typeof incomeKey>

type IncomeRow = Omit<IncomeEntry, 'day'> & { day: string }

/** Statement of what an account, or the owner of tracks, has by day, newest first.
 * @param after sort key of the row before: day, track, version, share, and the other one of account and owner */
export function incomeQueryOf(
  as: 'account' | 'owner',
  id: Address,
  after: IncomeKey | undefined,
  rows: number,
): { text: string; values: unknown[] } {
  // Named with their table: `day` alone would be the text that is selected, and no index has that.
  const key = ['day', 'track', 'version', 'share', as === 'account' ? 'owner' : 'account'].map(
    (name) => `i.${name}`,
  )
  const values: unknown[] = [id, rows]
  const beyond = after === undefined ? '' : ` AND (${key.join(', ')}) < ($3::date, $4, $5, $6, $7)`
  if (after !== undefined) values.push(...after)
  return {
    text: `SELECT i.day::text, i.track, i.version, i.owner, i.account, i.share, i.units, i.earned, i.distributed
      FROM income i WHERE i.${as} = $1${beyond} ORDER BY ${key.map((name) => `${name} DESC`).join(', ')} LIMIT $2`,
    values,
  }
}

/** Statement of what an operator has by day, newest first. */
export function operatorIncomeQueryOf(
  id: Address,
  before: string,
  rows: number,
): { text: string; values: unknown[] } {
  return {
    text: `SELECT i.day::text, i.units, i.paid, i.earned FROM operator_income i
      WHERE i.operator = $1 AND i.day < $2::date ORDER BY i.day DESC LIMIT $3`,
    values: [id, before, rows],
  }
}

const unitsPerHour = 600
const endOfTime = '9999-12-31'

export function incomeRoutes(database: Database): Route[] {
  return [
    route({
      path: '/v1/users/:id/income',
      summary: 'What was earned, by day, track and account: by a user, or by the tracks that it owns',
      params: userParams,
      query: incomeQuery,
      answers: { 200: { description: 'One page of income', name: 'Income', schema: incomeSchema } },
      async answer({ params: { id }, query: { as, limit, cursor } }) {
        const after = cursor === undefined ? undefined : decodeCursor(incomeKey, cursor)
        const { text, values } = incomeQueryOf(as, id, after, limit + 1)
        const { rows } = await database.query<IncomeRow>(text, values)
        const page = pageOf(
          rows,
          limit,
          (row) => row,
          (row) => [row.day, row.track, row.version, row.share, as === 'account' ? row.owner : row.account],
        )
        return { body: { ...(await readBooks(database)), ...page }, freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/operators/:id/income',
      summary: 'What an operator earned by serving what is paid for, by day, with the hours of listening',
      params: operatorParams,
      query: pageQuery,
      answers: {
        200: { description: 'One page of income', name: 'OperatorIncome', schema: operatorIncomeSchema },
      },
      async answer({ params: { id }, query: { limit, cursor } }) {
        const [before] = cursor === undefined ? [endOfTime] : decodeCursor(z.tuple([z.iso.date()]), cursor)
        const { text, values } = operatorIncomeQueryOf(id, before, limit + 1)
        const { rows } = await database.query<Omit<OperatorIncome['items'][number], 'listenerHours'>>(
          text,
          values,
        )
        const page = pageOf(
          rows,
          limit,
          (row) => ({ ...row, listenerHours: Number(row.units) / unitsPerHour }),
          (row) => [row.day],
        )
        return { body: { ...(await readBooks(database)), ...page }, freshness: 'checked' }
      },
    }),
  ]
}
