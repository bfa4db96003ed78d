import { isIP } from 'node:net'
import { clientOf, isPublicAddress, Problem } from '@hexachord/platform/http'
import { LRUCache } from 'lru-cache'
import { createTokenBucket, type TokenBucket } from '../gate/index.ts'

/** Addresses that are remembered: the last to be heard of. */
const clientsKept = 10_000
/** A listener who skips through music opens one session a second, and not for long. */
const [perSecond, burst] = [1, 60]

/**
 * Bounds how often one address opens sessions: each needs a signature to be checked, and room.
 * @returns a function that throws Problem 429
 */
export function createOpeningRate(now: () => number): (address: string | undefined) => void {
  const clients = new LRUCache<string, TokenBucket>({ max: clientsKept })
  return (address = '') => {
    // Of a proxy that does not say for whom it asks all listeners would share one rate.
    if (isIP(address) !== 0 && !isPublicAddress(address)) return
    const client = clientOf(address)
    const bucket = clients.get(client) ?? createTokenBucket({ perSecond, burst, now })
    clients.set(client, bucket)
    const waitMs = bucket.take(1)
    if (waitMs === 0) return
    throw new Problem({
      status: 429,
      slug: 'too-many-requests',
      detail: `one client may open ${perSecond} session a second here; go on later`,
      headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
    })
  }
}
