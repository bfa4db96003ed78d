import { Problem } from '@hexachord/platform/http'
import { rulesVersionAt } from '@hexachord/protocol/actions'
import type { Hash } from '@hexachord/protocol/names'
import { type BlockAnswer, blockAnswerSchema } from '@hexachord/protocol/rest'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import * as z from 'zod'
import { readCheckpoint } from '../indexing/index.ts'
import type { Database } from './entity.ts'
import { route } from './route.ts'

/** @throws Problem 404 */
export async function readBlock(database: Database, number: number): Promise<BlockAnswer> {
  const checkpoint = await readCheckpoint(database)
  if (checkpoint === undefined || number > checkpoint.indexed) {
    throw new Problem({
      status: 404,
      slug: 'not-indexed',
      detail: `block ${number} is not indexed; the last one is ${checkpoint?.indexed ?? 'still to come'}`,
    })
  }
  const { rows } = await database.query<{ number: number; hash: Hash; state_hash: Hash; logs: number }>(
    `(SELECT * FROM block WHERE number <= $1 AND logs > 0 ORDER BY number DESC LIMIT 1)
     UNION SELECT * FROM block WHERE number = $1`,
    [number],
  )
  const withLogs = rows.find(({ logs }) => logs > 0)
  return {
    number,
    hash: rows.find((row) => row.number === number)?.hash ?? null,
    stateHash: withLogs?.state_hash ?? genesisStateHash,
    stateHashBlock: withLogs?.number ?? null,
    rulesVersion: rulesVersionAt(checkpoint.versions, number),
    final: number <= checkpoint.finalized,
  }
}

export function blockRoutes(database: Database) {
  return [
    route({
      path: '/v1/blocks/:number',
      summary: 'The state hash after a block, to compare with other providers',
      params: z.strictObject({
        number: z
          .string()
          .regex(/^(0|[1-9][0-9]{0,14})$/, 'must be a block number')
          .meta({ examples: ['9'] }),
      }),
      answers: {
        200: { description: 'The state hash', name: 'Block', schema: blockAnswerSchema },
        404: { description: 'The block is not indexed yet' },
      },
      async answer({ params }) {
        const body = await readBlock(database, Number(params.number))
        return { body, freshness: body.final ? 'settled' : 'checked' }
      },
    }),
  ]
}
