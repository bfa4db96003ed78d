import { Problem } from '@hexachord/platform/http'
import type { Operator } from '@hexachord/protocol/operators'
import type { Domain } from '@hexachord/protocol/signing'
import { TokenError, verifyNodeToken } from '@hexachord/protocol/tokens'
import type { RequestHandler, Response } from 'express'
import type { Catalogue } from '../catalogue/index.ts'

/** Lets only requests through that an active operator's hot key has signed for this node, method and path; who it is
 * stands in `operatorOf(response)` from then on. Others get 401 (no token, or none that holds) or 403 (a key of no
 * active operator).
 * @param options.audience origin of this node
 * @param options.leaving whether an operator that has asked to leave may come, too: it still has copies to hand over */
export function requireOperator(options: {
  domain: Domain
  audience: string
  catalogue: Pick<Catalogue, 'operatorByHotKey'>
  /** ms since 1970. */
  now: () => number
  /** @default false */
  leaving?: boolean
}): RequestHandler {
  const { domain, audience, catalogue, now, leaving = false } = options
  return (request, response, next) => {
    const { method, originalUrl: path } = request
    const hotKey = hotKeyOf(request.get('authorization'), { domain, audience, method, path, now: now() })
    const operator = catalogue.operatorByHotKey(hotKey)
    if (operator === undefined || !(operator.active || (leaving && operator.exiting))) {
      throw new Problem({
        status: 403,
        slug: 'not-an-operator',
        detail: `${hotKey} is not the hot key of an active operator, as far as this node has read the chain`,
      })
    }
    response.locals.operator = operator
    next()
  }
}

/** The operator behind a request that passed {@link requireOperator}. @throws TypeError for any other */
export function operatorOf(response: Response): Operator {
  const operator: unknown = response.locals.operator
  if (operator === undefined) throw new TypeError('this route does not ask for an operator')
  return operator as Operator
}

function hotKeyOf(header: string | undefined, request: Parameters<typeof verifyNodeToken>[1]) {
  try {
    return verifyNodeToken(header, request)
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
