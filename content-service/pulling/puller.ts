import type { Logger } from '@hexachord/platform/process'
import { whenThereIsRoom } from '@hexachord/platform/sqlite'
import { usualGrantMs } from '@hexachord/protocol/offers'
import { throughRestarts } from '@hexachord/storage/ipfs'
import pLimit from 'p-limit'
import type { Lease, OfferChanges } from '../offers/index.ts'
import { type PullDependencies, pullOffer } from './pull-offer.ts'
import { PullRefused } from './pull-refused.ts'

/** Pulls what was offered, one task per lease. */
export type Puller = {
  /** Begins, unless it has begun. */
  start(lease: Lease): void
  /** Ends what is under way; a process after this one goes on with it. */
  close(): Promise<void>
}

/** Blocks on their way at one time, over all leases. */
const blocksAtOnce = 48

/** Takes up the leases that a process before this one left unfinished, and then those that it is given. */
export function createPuller(
  options: Omit<PullDependencies, 'sharedLimit' | 'onProgress'> & {
    changes: Pick<OfferChanges, 'announce'>
    /** Called when an offer is no longer being pulled, unless it is because the node closes. */
    onEnded: (outcome: 'held' | 'failed' | 'expired') => void
    /** Called for each track that is here now, pinned and with a receipt. */
    onHeld: (lease: Lease) => void
    logger: Logger
    /** ms since 1970. */
    now: () => number
  },
): Puller {
  const { offers, changes, logger, now } = options
  const closing = new AbortController()
  const waiting = { what: 'an offer', signal: closing.signal, logger }
  const running = new Map<string, Promise<void>>()
  const dependencies: PullDependencies = {
    ...options,
    sharedLimit: pLimit(blocksAtOnce),
    onProgress: ({ id }) => changes.announce(id),
  }

  async function run(lease: Lease): Promise<void> {
    try {
      await bring(lease)
    } catch (error) {
      // What could not be written before this closes is found out again by the next start.
      if (!closing.signal.aborted) throw error
    } finally {
      running.delete(lease.id)
      changes.announce(lease.id)
    }
  }

  async function bring(lease: Lease): Promise<void> {
    const { id, subject } = lease
    // An offer of a track that waits for its release ends later than a timer can count, and no upload takes that long.
    const leftMs = Math.min(lease.expiresAt - now(), usualGrantMs)
    const deadline = AbortSignal.timeout(Math.max(0, leftMs))
    const signal = AbortSignal.any([closing.signal, deadline])
    try {
      const pull = () => pullOffer(offers.get(id) ?? lease, dependencies, signal)
      await whenThereIsRoom(() => throughRestarts(pull, signal), { ...waiting, signal })
      logger.info({ offer: id, subject }, 'track held')
      options.onHeld(lease)
      options.onEnded('held')
    } catch (err) {
      if (closing.signal.aborted) return
      if (deadline.aborted) {
        logger.warn({ offer: id, subject }, 'offer expired before its track was here')
        await whenThereIsRoom(() => offers.expire(id), waiting)
        options.onEnded('expired')
      } else if (err instanceof PullRefused) {
        logger.warn({ offer: id, subject, reason: err.message }, 'track cannot be held')
        await whenThereIsRoom(() => offers.fail(id, err.message), waiting)
        options.onEnded('failed')
      } else {
        logger.error({ err, offer: id, subject }, 'pulling failed')
        const reason =
          'something went wrong on this node, not with the offer; its operator finds it in the logs'
        await whenThereIsRoom(() => offers.fail(id, reason), waiting)
        options.onEnded('failed')
      }
    }
  }

  function start(lease: Lease): void {
    if (closing.signal.aborted || running.has(lease.id)) return
    running.set(lease.id, run(lease))
  }

  for (const lease of offers.inState('pulling')) start(lease)

  return {
    start,
    async close() {
      closing.abort(new DOMException('the node is closing', 'AbortError'))
      await Promise.all(running.values())
    },
  }
}
