import { Problem } from '@hexachord/platform/http'
import { type Hash, hashSchema } from '@hexachord/protocol/names'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import * as z from 'zod'
import { readCheckpoint } from '../indexing/index.ts'
import type { Database } from './entity.ts'
import { route } from './route.ts'

/** `GET /v1/blocks/:number`: what the catalogue amounted to after a block, for comparing providers. */
export const blockAnswerSchema = z.object({
  number: z.int(),
  /** Hash of the block; null when it is not kept, as of final blocks without logs. */
  hash: hashSchema.nullable(),
  stateHash: hashSchema,
  /** The last block up to this one that had logs; null before the first. */
  stateHashBlock: z.int().nullable(),
  rulesVersion: z.int(),
  final: z.boolean(),
})
type BlockAnswer = z.infer<typeof blockAnswerSchema>

/** @throws Problem 404 */
async function readBlock(database: Database, number: number): Promise<BlockAnswer> {
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
    rulesVersion: checkpoint.rulesVersion,
    final: number <= checkpoint.finalized,
  }
}

export function blockRoutes(database: Database) {
  return [
    route({
      path: '/v1/blocks/:number',
      summary: 'The state hash after a block, to compare with other providers',
      params: z.strictObject({
        number: z.string().regex(/^(0|[1-9][0-9]{0,14})$/, 'must be a block number'),
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
