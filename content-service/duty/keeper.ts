import { setImmediate as nextTurn } from 'node:timers/promises'
import { MalformedAnswer, RpcError, RpcUnavailable } from '@hexachord/platform/chain'
import type { Logger } from '@hexachord/platform/process'
import type { Subject } from '@hexachord/protocol/names'
import { type Catalogue, liveTrack } from '@hexachord/storage/catalogue'
import pRetry from 'p-retry'
import type { OfferStore } from '../offers/index.ts'
import { dutyOf, retryDelayMs } from './duty-of.ts'
import type { Holding } from './holding-store.ts'
import { letGoOfLeases, letGoOfOrphans, letGoOfTracks } from './let-go.ts'
import { planDuty } from './plan-duty.ts'
import { type RepairDependencies, repair } from './repair.ts'

/** Keeps what the chain says this node has to hold: brings what is missing, lets go what is over. */
export type Keeper = {
  /** Looks at a subject again, now, such as when something about its blocks has changed here. */
  recheck(subject: Subject): void
  close(): Promise<void>
}

export type KeeperTimes = {
  /** How long content is kept after it was deleted or replaced. @default 24 h */
  readonly releaseGraceMs?: number
  /** How long a track that only its rank assigns to this node is left to offers. @default 60 s */
  readonly patienceMs?: number
  /** How long a lease outlives its offer, for a publish action that is on its way. @default 15 min */
  readonly leaseGraceMs?: number
  /** How long blocks that are being brought here are safe from collection. @default 1 h */
  readonly repairLeaseMs?: number
  /** Between collections of blocks that nothing keeps. @default 10 min */
  readonly collectEveryMs?: number
  /** How old a block must be to be collected. @default 1 h */
  readonly collectGraceMs?: number
}

const hourMs = 3_600_000
export const defaultLeaseGraceMs = 15 * 60_000
const defaultTimes: Required<KeeperTimes> = {
  releaseGraceMs: 24 * hourMs,
  patienceMs: 60_000,
  leaseGraceMs: defaultLeaseGraceMs,
  repairLeaseMs: hourMs,
  collectEveryMs: 10 * 60_000,
  collectGraceMs: hourMs,
}

/** Tracks brought here at one time; offers that somebody waits for come first. */
const repairsAtOnce = 2
/** Shortest and longest sleep: many changes at once are one round, and no clock that jumps stops everything. */
const shortestSleepMs = 20
const longestSleepMs = 5_000
/** Subjects looked at between two turns for everything else this process does. */
const subjectsPerTurn = 100
/** Ended offers are told about for so long. */
const offerMemoryMs = 7 * 24 * hourMs

export function createKeeper(
  options: Omit<RepairDependencies, 'leaseMs'> & {
    catalogue: Catalogue
    offers: OfferStore
    logger: Logger
    times?: KeeperTimes
    /** Called after each try to bring a track here. */
    onRepair: (outcome: 'brought' | 'failed') => void
    /** Ends it, as `close` does, when the process it is part of begins to close. */
    signal: AbortSignal
    /** From 0 to below 1. @default Math.random */
    random?: () => number
  },
): Keeper {
  const { catalogue, ipfs, database, holdings, offers, self, now, logger } = options
  const times = { ...defaultTimes, ...options.times }
  const random = options.random ?? Math.random
  const closing = new AbortController()
  const signal = AbortSignal.any([options.signal, closing.signal])
  const dirty = new Set<Subject>()
  let everything = true
  const repairing = new Map<string, Promise<void>>()
  let collectAt = now() + times.collectEveryMs
  let wake = Promise.withResolvers<void>()

  async function plan(subject: Subject): Promise<void> {
    const track = liveTrack(subject, catalogue.subject(subject))
    const duty = track && dutyOf(track, catalogue.ranks(subject), self)
    const known = holdings.ofSubject(subject)
    if (duty === undefined && known.length === 0) return
    const pinned = track !== undefined && (await ipfs.isPinned(track.manifest, { signal }))
    const { releaseGraceMs, patienceMs } = times
    const changes = planDuty({ track, duty, pinned, holdings: known, now: now(), releaseGraceMs, patienceMs })
    database.transaction(() => {
      for (const holding of changes) holdings.put(holding)
      if (track !== undefined) offers.publish(subject, track.manifest)
    })
  }

  async function planDirty(): Promise<void> {
    let looked = 0
    const look = async (subject: Subject) => {
      signal.throwIfAborted()
      await plan(subject)
      looked += 1
      if (looked % subjectsPerTurn === 0) await nextTurn()
    }
    if (everything) {
      everything = false
      for (const { subject } of catalogue.tracks()) await look(subject)
      for (const subject of holdings.subjects()) await look(subject)
    }
    for (const subject of dirty) {
      dirty.delete(subject)
      await look(subject)
    }
  }

  async function tryRepair(holding: Holding): Promise<void> {
    const { subject, manifest } = holding
    try {
      await repair(holding, { ...options, leaseMs: times.repairLeaseMs }, signal)
      offers.publish(subject, manifest)
      options.onRepair('brought')
      logger.info({ subject, manifest }, 'track brought here')
    } catch (err) {
      if (signal.aborted) return
      options.onRepair('failed')
      const current = holdings.get(subject, manifest)
      if (current?.state !== 'missing') return
      const attempts = current.attempts + 1
      const delayMs = retryDelayMs(attempts, random())
      const reason = err instanceof Error ? err.message : String(err)
      holdings.put({ ...current, attempts, reason, dueAt: now() + delayMs })
      logger.warn({ err, subject, manifest, attempts, delayMs }, 'track cannot be brought here yet')
    }
  }

  function startRepairs(): void {
    const free = repairsAtOnce - repairing.size
    if (free <= 0) return
    for (const holding of holdings.due('missing', now(), repairsAtOnce * 2)) {
      const name = `${holding.subject} ${holding.manifest}`
      if (repairing.has(name) || repairing.size >= repairsAtOnce) continue
      const task = tryRepair(holding).finally(() => {
        repairing.delete(name)
        wake.resolve()
      })
      repairing.set(name, task)
    }
  }

  async function collect(): Promise<void> {
    if (now() < collectAt) return
    collectAt = now() + times.collectEveryMs
    offers.forget(now() - offerMemoryMs)
    const { removed, bytes } = await ipfs.collect({ graceMs: times.collectGraceMs, signal })
    if (removed > 0) logger.info({ removed, bytes }, 'blocks collected that nothing keeps')
  }

  async function sleep(): Promise<void> {
    const dueAt = [
      // What is under way is due, too; when it ends, that wakes this up.
      repairing.size > 0 ? undefined : holdings.nextDueAt('missing'),
      holdings.nextDueAt('releasing'),
      leaseEndsAt(),
      collectAt,
    ]
    const soonest = Math.min(...dueAt.filter((at) => at !== undefined))
    const ms = Math.min(Math.max(soonest - now(), shortestSleepMs), longestSleepMs)
    const timer = setTimeout(() => wake.resolve(), ms)
    await wake.promise
    clearTimeout(timer)
    wake = Promise.withResolvers()
  }

  function leaseEndsAt(): number | undefined {
    const expiresAt = offers.nextExpiry()
    return expiresAt === undefined ? undefined : expiresAt + times.leaseGraceMs
  }

  async function run(): Promise<void> {
    // What the database knew before this start may be long out of date: first look, then act.
    await pRetry(() => catalogue.caughtUp(signal), {
      retries: Number.POSITIVE_INFINITY,
      maxTimeout: longestSleepMs,
      signal,
      shouldRetry: ({ error }) =>
        error instanceof RpcUnavailable || error instanceof RpcError || error instanceof MalformedAnswer,
    })
    const orphans = await letGoOfOrphans(options, signal)
    if (orphans > 0) logger.warn({ orphans }, 'pins that nothing knows of were taken away')
    while (!signal.aborted) {
      await planDirty()
      await letGoOfLeases(options, now() - times.leaseGraceMs)
      await letGoOfTracks(options, now())
      await collect()
      startRepairs()
      await sleep()
    }
  }

  const unsubscribe = catalogue.onChange(({ subjects, operators }) => {
    for (const subject of subjects) dirty.add(subject)
    if (operators) everything = true
    wake.resolve()
  })
  const running = run().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })

  return {
    recheck(subject) {
      for (const holding of holdings.ofSubject(subject)) {
        if (holding.state === 'missing') holdings.put({ ...holding, dueAt: now() })
      }
      dirty.add(subject)
      wake.resolve()
    },
    async close() {
      unsubscribe()
      closing.abort(new DOMException('the node is closing', 'AbortError'))
      wake.resolve()
      await running
      await Promise.all(repairing.values())
    },
  }
}
