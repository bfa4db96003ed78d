import { Problem } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import type { Domain } from '@hexachord/protocol/signing'
import { TokenError, verifyToken } from '@hexachord/protocol/tokens'

/** The account that signed the token in a header `Authorization`. @throws Problem 401 */
export type AccountOf = (authorization: string | undefined) => Address

/** @param audience origin of this provider, which tokens must name
 * @param now ms since 1970 */
export function createAccountOf(expected: {
  domain: Domain
  audience: string
  now: () => number
}): AccountOf {
  return (header) => verified(() => verifyToken(header, { ...expected, now: expected.now() }))
}

/** @param verify of a signed message @throws Problem 401 in place of TokenError */
export function verified<T>(verify: () => T): T {
  try {
    return verify()
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
