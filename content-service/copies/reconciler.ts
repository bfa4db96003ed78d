import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { whenThereIsRoom } from '@hexachord/platform/sqlite'
import type { Address, Subject } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { bucketDigest, holdingBuckets } from '@hexachord/protocol/receipts'
import type { Catalogue } from '@hexachord/storage/catalogue'
import type { NodeClient } from '@hexachord/storage/peers'
import pLimit from 'p-limit'
import { askBucket, askDigests, PeerFailed } from './ask-peer.ts'
import type { CopyStore } from './copy-store.ts'

/** Learns again and again what other operators hold, and whether they are there at all. */
export type Reconciler = {
  /** Whether an operator has answered lately; one that was not asked yet has the benefit of the doubt. */
  answers(operator: Address): boolean
  /** When the last complete look at what an operator holds began, in ms since 1970; undefined before the first. */
  learntAt(operator: Address): number | undefined
  /** How many operators are asked, and how many of them answer. */
  counts(): { known: number; answering: number }
  close(): Promise<void>
}

/** Between looks at one operator, in ms, give or take a quarter. */
export const defaultReconcileMs = 60_000
/** Waiting doubles with each failure, up to this. */
const longestPauseMs = 10 * 60_000
/** Failures in a row after which an operator counts as away: one may be a restart. */
const failuresUntilAway = 2
/** So soon after the first failure it is asked again. */
const secondLookMs = 5_000
const peersAtOnce = 2
const bucketsAtOnce = 2
const shortestSleepMs = 20

type Standing = { failures: number; nextAt: number; asking: boolean }

/**
 * Asks each operator with capacity for the digests of what it holds, and descends only into buckets that are others
 * than last time. What is learnt survives a restart.
 * @param options.onCopies called with subjects of which another operator has other copies than before
 * @param options.onAway called when an operator is away, or back
 */
export function createReconciler(options: {
  catalogue: Pick<Catalogue, 'operators'>
  client: NodeClient
  copies: CopyStore
  self: Address
  onCopies: (subjects: readonly Subject[]) => void
  onAway: (operator: Address) => void
  logger: Logger
  /** ms since 1970. */
  now: () => number
  /** From 0 to below 1. @default Math.random */
  random?: () => number
  /** @default 60 s */
  everyMs?: number | undefined
}): Reconciler {
  const { catalogue, client, copies, self, logger, now, everyMs = defaultReconcileMs } = options
  const random = options.random ?? Math.random
  const closing = new AbortController()
  const { signal } = closing
  const waiting = { what: 'what others hold', signal, logger }
  const standings = new Map<Address, Standing>()
  const limit = pLimit(peersAtOnce)
  const running = new Set<Promise<void>>()

  function peers(): Operator[] {
    return [...catalogue.operators().values()].filter(
      (operator) =>
        operator.operator !== self && operator.capacityBytes > 0n && (operator.active || operator.exiting),
    )
  }

  async function look(peer: Operator): Promise<void> {
    const beganAt = now()
    const { root, buckets } = await askDigests({ client, peer, signal })
    if (copies.listing(peer.operator)?.root !== root) {
      const known = copies.digests(peer.operator)
      const ofNothing = await bucketDigest([])
      const differing = Array.from({ length: holdingBuckets }, (_, bucket) => bucket).filter(
        (bucket) => (known.get(bucket) ?? ofNothing) !== buckets[bucket],
      )
      const ofBuckets = pLimit(bucketsAtOnce)
      await Promise.all(differing.map((bucket) => ofBuckets(() => lookInto(peer, bucket))))
    }
    await whenThereIsRoom(() => copies.learnt(peer.operator, root, beganAt), waiting)
  }

  async function lookInto(peer: Operator, bucket: number): Promise<void> {
    const items = await askBucket({ client, peer, signal }, bucket)
    const digest = await bucketDigest(items)
    const learnt = { number: bucket, digest, items }
    const changed = await whenThereIsRoom(() => copies.replaceBucket(peer.operator, learnt), waiting)
    if (changed.length > 0) options.onCopies(changed)
  }

  async function visit(peer: Operator, standing: Standing): Promise<void> {
    try {
      await look(peer)
      const wasAway = standing.failures >= failuresUntilAway
      standing.failures = 0
      standing.nextAt = now() + spread(everyMs)
      if (wasAway) options.onAway(peer.operator)
    } catch (error) {
      if (signal.aborted) return
      standing.failures += 1
      const { failures } = standing
      standing.nextAt =
        now() + spread(failures === 1 ? Math.min(secondLookMs, everyMs) : pauseMs(failures, everyMs))
      if (failures === failuresUntilAway) {
        logger.warn({ err: error, operator: peer.operator }, 'operator does not answer')
        options.onAway(peer.operator)
      }
      // Whatever a stranger answers must not end this node; what is wrong here must.
      if (!(error instanceof PeerFailed)) throw error
    } finally {
      standing.asking = false
    }
  }

  /** So that nodes which started together do not go on asking together. */
  function spread(ms: number): number {
    return Math.round(ms * (0.75 + random() / 2))
  }

  async function run(): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const wanted = peers()
      const names = new Set(wanted.map(({ operator }) => operator))
      for (const name of standings.keys()) if (!names.has(name)) standings.delete(name)
      // Before the chain was read there are no operators; that is no reason to forget what they hold.
      if (names.size > 0) await whenThereIsRoom(() => copies.keepOnly(names), waiting)
      let soonest = now() + everyMs
      for (const peer of wanted) {
        const standing = standings.get(peer.operator) ?? { failures: 0, nextAt: 0, asking: false }
        standings.set(peer.operator, standing)
        if (standing.asking) continue
        if (standing.nextAt <= now()) start(peer, standing)
        else soonest = Math.min(soonest, standing.nextAt)
      }
      await delay(Math.min(Math.max(soonest - now(), shortestSleepMs), 1_000), undefined, { signal })
    }
  }

  function start(peer: Operator, standing: Standing): void {
    standing.asking = true
    const task = limit(() => visit(peer, standing))
      .catch((error: unknown) => {
        if (!signal.aborted) closing.abort(error)
      })
      .finally(() => {
        running.delete(task)
      })
    running.add(task)
  }

  const ended = run().catch((error: unknown) => {
    if (!closedOnPurpose()) throw error
  })

  function closedOnPurpose(): boolean {
    return signal.aborted && signal.reason instanceof DOMException
  }

  return {
    answers: (operator) => (standings.get(operator)?.failures ?? 0) < failuresUntilAway,
    learntAt: (operator) => copies.listing(operator)?.learntAt,
    counts() {
      const all = [...standings.values()]
      return {
        known: all.length,
        answering: all.filter(({ failures }) => failures < failuresUntilAway).length,
      }
    },
    async close() {
      closing.abort(new DOMException('the node is closing', 'AbortError'))
      await ended
      await Promise.all(running)
    },
  }
}

function pauseMs(failures: number, everyMs: number): number {
  return Math.min(longestPauseMs, everyMs * 2 ** Math.min(failures - 1, 20))
}
