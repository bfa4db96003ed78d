import type { Address } from '@hexachord/protocol/names'
import { createToken } from '@hexachord/protocol/tokens'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'

const lifeMs = 30 * 60_000
/** A token is signed anew when it has been used this long. */
const freshMs = 20 * 60_000

/** `Authorization` header for one node; sign a new one for each longer piece of work.
 * @param node origin
 * @param author whom the account controls since their keys were rotated to it; discovery providers alone take such a token.
 *   @default the account itself */
export async function tokenFor(
  connection: Connection,
  account: Account,
  node: string,
  { author }: { readonly author?: Address | undefined } = {},
): Promise<string> {
  return createToken(account.signer, connection.domain, {
    account: author,
    audience: node,
    expiresAt: connection.now() + lifeMs,
  })
}

export type FreshToken = {
  readonly header: () => Promise<string>
  /** Whether the node has been shown it before: if not, a refusal is no matter of age. */
  readonly isUsed: () => boolean
  readonly drop: () => void
}

/** One token for many requests to one node; a new one in time before it expires. */
export function freshToken(connection: Connection, account: Account, node: string): FreshToken {
  let token: { readonly header: string; readonly at: number } | undefined
  let uses = 0
  return {
    header: async () => {
      if (token === undefined || connection.now() - token.at > freshMs) {
        token = { header: await tokenFor(connection, account, node), at: connection.now() }
        uses = 0
      }
      uses += 1
      return token.header
    },
    isUsed: () => uses > 1,
    drop: () => {
      token = undefined
    },
  }
}

/** Nodes whose tokens are kept. */
const mostTokens = 64

/** Shows an account to whichever node asks for one, such as the key holder of a track for followers.
 * @returns the `Authorization` for a node */
export function accountPass(connection: Connection, account: Account): (origin: string) => Promise<string> {
  const tokens = new Map<string, FreshToken>()
  return (origin) => {
    const token = tokens.get(origin) ?? freshToken(connection, account, origin)
    tokens.set(origin, token)
    const [oldest] = tokens.keys()
    if (tokens.size > mostTokens && oldest) tokens.delete(oldest)
    return token.header()
  }
}
