import { listOf, nodeStatusSchema, operatorAnswerSchema } from '@hexachord/protocol/rest'
import { ApiError, readJson } from '@hexachord/sdk/connect'
import type { Command } from 'commander'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'

export function addStatusCommand(program: Command, context: Context): void {
  program
    .command('status')
    .description('how the network is doing, seen from here')
    .action(async (_options: unknown, self: Command) => {
      const { connection } = await openConnection(self, context, { onlyReads: true })
      const { signal } = context
      const { items } = await connection.discover('/v1/operators', listOf(operatorAnswerSchema), { signal })
      const nodes = await Promise.all(
        items.map(async ({ operator, endpoint, active }) => {
          const startedAt = performance.now()
          try {
            const { service, ipfs } = await readJson(
              connection.http,
              `${endpoint}/status`,
              nodeStatusSchema,
              { signal },
            )
            const ms = Math.round(performance.now() - startedAt)
            return { operator, endpoint, active, service, blocks: ipfs.blocks, bytes: ipfs.bytes, ms }
          } catch (error) {
            if (!(error instanceof ApiError)) throw error
            return { operator, endpoint, active, error: error.message }
          }
        }),
      )
      const providers = connection.providers.map(({ origin, status }) => ({
        origin,
        indexed: status.indexed,
        lagBlocks: status.lagBlocks,
        stateHash: status.stateHash,
      }))
      const lines = [
        ...providers.map(
          ({ origin, indexed, lagBlocks }) => `discovery  ${origin}  block ${indexed}, ${lagBlocks} behind`,
        ),
        ...nodes.map((node) =>
          'error' in node
            ? `away       ${node.endpoint}  ${node.error}`
            : `${node.service === 'creator-node' ? 'creator    ' : 'content    '}${node.endpoint}  ${node.blocks} blocks, ${(node.bytes / 1e6).toFixed(1)} MB, ${node.ms} ms`,
        ),
      ]
      print(self, { providers, dropped: connection.dropped, nodes }, lines.join('\n'))
    })
}
