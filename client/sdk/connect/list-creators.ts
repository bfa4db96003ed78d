import { listOf, operatorAnswerSchema } from '@hexachord/protocol/rest'
import type { Connection } from './connect.ts'

/** Origins of the creator nodes on the chain: operators that offer no room for the music of others.
 * @throws ApiError */
export async function listCreators(
  connection: Pick<Connection, 'discover'>,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<string[]> {
  const { signal } = options
  const { items } = await connection.discover(
    '/v1/operators?active=true',
    listOf(operatorAnswerSchema),
    signal ? { signal } : {},
  )
  const origins = items
    .filter(({ capacityBytes }) => capacityBytes === '0')
    .flatMap(({ endpoint }) => {
      const url = URL.parse(endpoint)
      return url !== null && /^https?:$/.test(url.protocol) ? url.origin : []
    })
  return [...new Set(origins)]
}
