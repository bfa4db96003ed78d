import { Problem } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import { operatorOf } from '@hexachord/storage/peers'
import type { RequestHandler } from 'express'

const windowMs = 60_000
/** Operators whose requests are counted; the registry asks a stake of each. */
const countedOperators = 4_096

/** Bounds what one operator may ask of a route within a minute; above it gets 429. To be used behind
 * `requireOperator`.
 * @param options.perMinute requests */
export function limitPerOperator(options: {
  perMinute: number
  /** ms since 1970. */
  now: () => number
}): RequestHandler {
  const { perMinute, now } = options
  const counts = new Map<Address, { since: number; requests: number }>()
  return (_request, response, next) => {
    const { operator } = operatorOf(response)
    const at = now()
    const known = counts.get(operator)
    const count = known !== undefined && known.since + windowMs > at ? known : { since: at, requests: 0 }
    count.requests += 1
    counts.delete(operator)
    counts.set(operator, count)
    for (const oldest of counts.keys()) {
      if (counts.size <= countedOperators) break
      counts.delete(oldest)
    }
    if (count.requests > perMinute) {
      const seconds = Math.max(1, Math.ceil((count.since + windowMs - at) / 1000))
      throw new Problem({
        status: 429,
        slug: 'too-many-requests',
        detail: `${operator} has asked ${perMinute} times within a minute; try again in ${seconds} s`,
        headers: { 'Retry-After': String(seconds) },
      })
    }
    next()
  }
}
