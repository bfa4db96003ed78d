import { isIP } from 'node:net'
import { clientOf, isPublicAddress, Problem } from '@hexachord/platform/http'
import type { RequestHandler } from 'express'
import { createAllowance } from '../app-passwords/index.ts'

/** Seconds of its rate that a client may spend at once: an app that starts asks for many things. */
const burstSeconds = 10

/** The operator's own programs and proxies. Of a proxy that does not say for whom it asks all clients would share one limit. */
export const isOwn = (address = '') => isIP(address) !== 0 && !isPublicAddress(address)

/**
 * Refuses requests of clients that ask for more than their share, with problem 429.
 * @param perSecond requests of one client in the long run; ten seconds' worth may come at once
 * @param now ms
 */
export function rateLimit({ perSecond, now }: { perSecond: number; now: () => number }): RequestHandler {
  const clients = createAllowance({ burst: perSecond * burstSeconds, refillMs: 1_000 / perSecond, now })
  return (request, _response, next) => {
    if (isOwn(request.ip) || clients.take(clientOf(request.ip))) return next()
    throw new Problem({
      status: 429,
      slug: 'too-many-requests',
      detail: `one client may ask ${perSecond} times in a second here; go on in a second, and slower`,
      headers: { 'Retry-After': '1' },
    })
  }
}
