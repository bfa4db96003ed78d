import type { IncomingMessage } from 'node:http'
import type { Operator } from '@hexachord/protocol/operators'
import type { Domain, Recover } from '@hexachord/protocol/signing'
import { blocksPath, maximumNodeTokenMs, TokenError, verifyNodeToken } from '@hexachord/protocol/tokens'
import { LRUCache } from 'lru-cache'
import type { Catalogue } from '../catalogue/index.ts'

/** The operator that asks for a block by a request that its hot key has signed, or undefined for anybody else. */
export type PeerCheck = (request: Pick<IncomingMessage, 'method' | 'headers'>) => Operator | undefined

/** Tokens that were seen: some for each operator. */
const tokensKept = 4_096

/**
 * Tells requests for blocks of other operators, see `createPeerFetch`, from everybody else's. A token is verified
 * every quarter of a minute; between, it costs a look-up.
 * @param options.audience origin of this node
 * @param options.recover a faster engine, where there is one: strangers can have it work
 */
export function createPeerCheck(options: {
  domain: Domain
  audience: string
  catalogue: Pick<Catalogue, 'operatorByHotKey'>
  recover?: Recover | undefined
  /** ms since 1970. */
  now: () => number
}): PeerCheck {
  const { domain, audience, catalogue, recover, now } = options
  const known = new LRUCache<string, { operator: Operator; until: number }>({ max: tokensKept })

  function verify(header: string): Operator | undefined {
    try {
      const hotKey = verifyNodeToken(header, {
        ...{ domain, audience, method: 'GET', path: blocksPath, now: now() },
        ...(recover === undefined ? {} : { recover }),
      })
      const operator = catalogue.operatorByHotKey(hotKey)
      // One that leaves still brings its copies to others.
      return operator?.active || operator?.exiting ? operator : undefined
    } catch (error) {
      if (error instanceof TokenError) return undefined
      throw error
    }
  }

  return ({ method, headers: { authorization } }) => {
    if (authorization === undefined || (method !== 'GET' && method !== 'HEAD')) return undefined
    const kept = known.get(authorization)
    if (kept !== undefined && now() < kept.until) return kept.operator
    const operator = verify(authorization)
    if (operator !== undefined) known.set(authorization, { operator, until: now() + maximumNodeTokenMs / 4 })
    return operator
  }
}
