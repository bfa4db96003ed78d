import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { clientOf, isPublicAddress } from '@hexachord/platform/http'
import type { Meter } from '../../gateway/index.ts'
import { createTokenBucket } from './token-bucket.ts'

/** What each of them has at least: more than the best AAC plays at, so that who plays while it downloads does not wait. */
const leastBytesPerSecond = 65_536
/** One listener has no more of them than this, but for the one at which it plays and the next one. */
const shareOfOneClient = 1 / 4
const leastOfOneClient = 2
/** What may come at once, in seconds of the rate. */
const burstSeconds = 10

/** Whole files and CARs that strangers have for nothing. */
export type FreeDownloads = {
  /** @returns what paces it, or undefined while there are as many as may be, of this client or of all together */
  begin(request: IncomingMessage): Meter | undefined
}

/**
 * Downloads share half of what a node gives away, each paced, so that however many there are, who asks for single blocks, as
 * players do, has the other half: and only so many begin that each is fast enough to be played.
 * @param options.bytesPerSecond for all that is given away
 * @param options.spend takes from that what they send
 * @param options.now ms
 * @param options.sleep resolves after so many ms
 */
export function createFreeDownloads(options: {
  bytesPerSecond: number
  spend: (bytes: number) => void
  now: () => number
  sleep: (ms: number) => Promise<unknown>
}): FreeDownloads {
  const perSecond = options.bytesPerSecond / 2
  const most = Math.max(1, Math.floor(perSecond / leastBytesPerSecond))
  const mostOfOne = Math.max(leastOfOneClient, Math.floor(most * shareOfOneClient))
  const pace = createTokenBucket({ perSecond, burst: perSecond * burstSeconds, now: options.now })
  /** How many each client has now, and all together. */
  const running = new Map<string, number>()
  let all = 0

  return {
    begin({ socket: { remoteAddress = '' } }) {
      // Of a proxy that does not say for whom it asks all listeners would be one client.
      const isProxy = isIP(remoteAddress) !== 0 && !isPublicAddress(remoteAddress)
      const client = clientOf(remoteAddress)
      const ofClient = running.get(client) ?? 0
      if (all >= most || (!isProxy && ofClient >= mostOfOne)) return undefined
      all += 1
      running.set(client, ofClient + 1)
      let isRunning = true
      return {
        async next(bytes) {
          options.spend(bytes)
          // Each waits for what it took itself, after those before it.
          const waitMs = pace.spend(bytes)
          if (waitMs > 0) await options.sleep(waitMs)
        },
        end() {
          if (!isRunning) return
          isRunning = false
          all -= 1
          const left = (running.get(client) ?? 1) - 1
          if (left === 0) running.delete(client)
          else running.set(client, left)
        },
      }
    },
  }
}
