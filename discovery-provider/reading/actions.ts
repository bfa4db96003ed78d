import { Problem } from '@hexachord/platform/http'
import { type Hash, hashSchema, type Subject } from '@hexachord/protocol/names'
import { type ActionStatus, actionStatusSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { Database } from './entity.ts'
import { route } from './route.ts'

type ActionRow = {
  block: number
  log_index: number
  hash: Hash
  subject: Subject
  verdict: string
  reason: string | null
  transaction_hash: Hash
  final: boolean
}

function statusOf(row: ActionRow): ActionStatus {
  const { hash, subject, verdict, reason, block, log_index: logIndex, transaction_hash: transaction } = row
  const place = { subject, transaction, block, logIndex, final: row.final }
  if (verdict === 'applied') return { hash, status: 'applied', ...place }
  return { hash, status: 'rejected', verdict, reason: reason ?? verdict, ...place }
}

export function actionRoutes(database: Database) {
  return [
    route({
      path: '/v1/actions/:hash',
      summary: 'What became of an action on the chain',
      params: z.strictObject({ hash: hashSchema.meta({ examples: [`0x${'5f'.repeat(32)}`] }) }),
      answers: {
        200: {
          description: 'Applied, or rejected and why',
          name: 'ActionStatus',
          schema: actionStatusSchema,
        },
        404: { description: 'No such action in any indexed block; a pending one comes with its block' },
      },
      async answer({ params: { hash } }) {
        const { rows } = await database.query<ActionRow>(
          `SELECT a.block, a.log_index, a.hash, a.subject, a.verdict, a.reason,
             '0x' || encode(l.transaction_hash, 'hex') AS transaction_hash,
             a.block <= (SELECT finalized FROM checkpoint) AS final
           FROM action a JOIN log l ON l.block = a.block AND l.log_index = a.log_index
           WHERE a.hash = $1`,
          [hash],
        )
        const [row] = rows
        if (row !== undefined) return { body: statusOf(row), freshness: row.final ? 'settled' : 'checked' }
        throw new Problem({
          status: 404,
          slug: 'unknown-action',
          detail: `no indexed block has the action ${hash}; one that was just sent comes with its block`,
        })
      },
    }),
  ]
}
