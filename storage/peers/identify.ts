import { Problem } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import type { Domain } from '@hexachord/protocol/signing'
import { TokenError, verifyToken } from '@hexachord/protocol/tokens'
import type { Request } from 'express'

/** Tells which account sends a request. @throws Problem 401 */
export type Identify = (request: Request) => Address

export function createIdentify(options: {
  domain: Domain
  /** Origin of this node. */
  audience: string
  /** ms since 1970. */
  now: () => number
}): Identify {
  const { domain, audience, now } = options
  return (request) => {
    try {
      return verifyToken(request.get('authorization'), { domain, audience, now: now() })
    } catch (cause) {
      if (!(cause instanceof TokenError)) throw cause
      throw new Problem({
        status: 401,
        slug: 'invalid-token',
        detail: cause.message,
        headers: { 'WWW-Authenticate': 'Hexachord' },
        cause,
      })
    }
  }
}
