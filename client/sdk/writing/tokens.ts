import { createToken } from '@hexachord/protocol/tokens'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'

const lifeMs = 30 * 60_000

/** `Authorization` header for one node; sign a new one for each longer piece of work.
 * @param node origin */
export async function tokenFor(connection: Connection, account: Account, node: string): Promise<string> {
  return createToken(account.signer, connection.domain, {
    audience: node,
    expiresAt: connection.now() + lifeMs,
  })
}
