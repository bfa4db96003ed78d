import { Problem } from '@hexachord/platform/http'
import { type Address, addressSchema } from '@hexachord/protocol/names'
import { listOf, type OperatorAnswer, operatorAnswerSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { OperatorRow } from '../projections/operators.ts'
import { decodeCursor, pageOf } from './cursor.ts'
import { addressLike, type Database, exampleOperator } from './entity.ts'
import { route } from './route.ts'

const operatorsQuery = z.strictObject({
  active: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  limit: z.coerce.number<string>().int().min(1).max(500).default(500),
  cursor: z.string().max(300).optional(),
})

export const operatorParams = z.strictObject({ id: addressLike(exampleOperator) })

const operatorsKey = z.tuple([addressSchema])

function operatorOf(row: OperatorRow): OperatorAnswer {
  return {
    operator: row.id as Address,
    controller: row.controller as Address,
    endpoint: row.endpoint,
    hotKey: row.hot_key as Address,
    capacityBytes: row.capacity_bytes,
    stakeWei: row.stake_wei,
    active: row.active,
  }
}

export function operatorRoutes(database: Database) {
  return [
    route({
      path: '/v1/operators',
      summary: 'Operators as they stand after the last indexed block, by address',
      query: operatorsQuery,
      answers: {
        200: {
          description: 'One page of operators',
          name: 'OperatorList',
          schema: listOf(operatorAnswerSchema),
        },
      },
      async answer({ query: { active, limit, cursor } }) {
        const [after] = cursor === undefined ? [''] : decodeCursor(operatorsKey, cursor)
        const { rows } = await database.query<OperatorRow>(
          `SELECT * FROM operator WHERE id > $1 AND ($2::boolean IS NULL OR active = $2) ORDER BY id LIMIT $3`,
          [after, active ?? null, limit + 1],
        )
        return { body: pageOf(rows, limit, operatorOf, (row) => [row.id]), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/operators/:id',
      summary:
        'One operator as it stands after the last indexed block: where it is, and whose signature is its',
      params: operatorParams,
      answers: {
        200: { description: 'The operator', name: 'Operator', schema: operatorAnswerSchema },
        404: { description: 'Nobody is registered under this address' },
      },
      async answer({ params: { id } }) {
        const { rows } = await database.query<OperatorRow>('SELECT * FROM operator WHERE id = $1', [id])
        const [row] = rows
        if (row !== undefined) return { body: operatorOf(row), freshness: 'checked' }
        throw new Problem({
          status: 404,
          slug: 'no-such-operator',
          detail: `${id} is not registered as operator`,
        })
      },
    }),
  ]
}
