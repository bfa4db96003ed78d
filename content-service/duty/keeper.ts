import { setImmediate as nextTurn } from 'node:timers/promises'
import { MalformedAnswer, RpcError, RpcUnavailable } from '@hexachord/platform/chain'
import type { Logger } from '@hexachord/platform/process'
import { whenThereIsRoom } from '@hexachord/platform/sqlite'
import type { Subject } from '@hexachord/protocol/names'
import type { HeldTrack } from '@hexachord/protocol/receipts'
import type { ArchiveKeeper } from '@hexachord/storage/archives'
import { type Catalogue, type LiveTrack, liveTrack } from '@hexachord/storage/catalogue'
import type { NodeClient } from '@hexachord/storage/peers'
import type { Takedowns } from '@hexachord/storage/takedowns'
import pRetry from 'p-retry'
import type { OfferStore } from '../offers/index.ts'
import type { Holding } from './holding-store.ts'
import { hourMs, type KeeperTimes, keeperTimes } from './keeper-times.ts'
import { endReplacedLeases, letGoOfLeases, letGoOfOrphans, letGoOfTracks } from './let-go.ts'
import { planDuty } from './plan-duty.ts'
import type { RepairDependencies } from './repair.ts'
import { createRepairs, defaultRebalanceBytesPerSecond } from './repairs.ts'
import { createShedding } from './shedding.ts'
import { type Standing, standingOf } from './standing.ts'

/** Keeps what the chain says this node has to hold: brings what is missing, lets go what is over. */
export type Keeper = {
  /** Looks at a subject again, now, such as when something about its blocks has changed here. */
  recheck(subject: Subject): void
  /** Looks again, soon, at subjects of which others have more or fewer copies. */
  reconsider(subjects: readonly Subject[]): void
  /** Looks again at everything, soon: others have left or come back. */
  reconsiderAll(): void
  /** There is not enough room: lets go first what may go. */
  press(): void
  /** Whether a track is on its way here at this moment. */
  isBringing(track: HeldTrack): boolean
  close(): Promise<void>
}

/** Shortest and longest sleep: many changes at once are one round, and no clock that jumps stops everything. */
const shortestSleepMs = 20
const longestSleepMs = 5_000
/** Subjects looked at between two turns for everything else this process does. */
const subjectsPerTurn = 100
/** Above this, single subjects are no longer counted: everything is looked at. */
const dirtyLimit = 10_000
/** Ended offers are told about for so long. */
const offerMemoryMs = 7 * 24 * hourMs

export function createKeeper(
  options: Omit<RepairDependencies, 'leaseMs'> & {
    catalogue: Catalogue
    client: NodeClient
    offers: OfferStore
    archives: Pick<ArchiveKeeper, 'holds'>
    takedowns: Pick<Takedowns, 'trackDenied' | 'onChange'>
    logger: Logger
    times?: KeeperTimes
    /** Bytes per second taken over from others that have enough copies. @default 8 MiB */
    rebalanceBytesPerSecond?: number | undefined
    /** Called after each try to bring a track here. */
    onRepair: (outcome: 'brought' | 'failed') => void
    /** Ends it, as `close` does, when the process it is part of begins to close. */
    signal: AbortSignal
    /** From 0 to below 1. @default Math.random */
    random?: () => number
  },
): Keeper {
  const { catalogue, ipfs, database, holdings, offers, receipts, takedowns, self, now, logger } = options
  const times = keeperTimes(options.times)
  const random = options.random ?? Math.random
  const closing = new AbortController()
  const signal = AbortSignal.any([options.signal, closing.signal])
  const waiting = { what: 'the keeper', signal, logger }
  const dirty = new Set<Subject>()
  /** Those of them whose missing copies are due now. */
  const urgent = new Set<Subject>()
  let everything = true
  let everythingAt = 0
  let collectAt = now() + times.collectEveryMs
  let wake = Promise.withResolvers<void>()
  const wakeUp = () => wake.resolve()

  const repairs = createRepairs({
    ...options,
    ...{ standingOf: standingOfHolding, random, signal, leaseMs: times.repairLeaseMs, onEnded: wakeUp },
    rebalanceBytesPerSecond: options.rebalanceBytesPerSecond ?? defaultRebalanceBytesPerSecond,
    onNoRoom: press,
  })
  const shedding = createShedding({
    ...options,
    ...times,
    ...{ domain: catalogue.rules.domain, random, signal, onEnded: wakeUp },
    onPressed() {
      collectAt = now()
    },
  })

  function press(): void {
    shedding.press()
    wakeUp()
  }

  /** What this operator refuses is no more to it than what was deleted. */
  function wantedTrack(subject: Subject): LiveTrack | undefined {
    return takedowns.trackDenied(subject) ? undefined : liveTrack(subject, catalogue.subject(subject))
  }

  function standing(track: LiveTrack): Standing {
    const active = catalogue.operators().get(self)?.active === true
    return standingOf(track, catalogue.ranks(track.subject), { self, active })
  }

  function standingOfHolding({ subject, manifest }: Holding): Standing | undefined {
    const track = wantedTrack(subject)
    return track?.manifest === manifest ? standing(track) : undefined
  }

  async function plan(subject: Subject): Promise<void> {
    if (urgent.has(subject)) {
      hurry(subject)
      urgent.delete(subject)
    }
    const track = wantedTrack(subject)
    const known = holdings.ofSubject(subject)
    const role: Standing = track === undefined ? { kind: 'none', copies: 0, turn: 0 } : standing(track)
    if (role.kind === 'none' && known.length === 0) return
    const changes = planDuty({
      ...{ track, standing: role, holdings: known, times, now: now(), random: random() },
      live: track === undefined ? 0 : options.copiesOf(track).live.length,
      wasLetGo: track !== undefined && holdings.wasHandedOver(subject, track.manifest),
      pinned: track !== undefined && (await isHere(track)),
      releaseGraceMs: times.releaseGraceMs,
    })
    const isLeased = track !== undefined && offers.keeps(track.manifest)
    if (changes.length === 0 && !isLeased) return
    database.transaction(() => {
      for (const holding of changes) holdings.put(holding)
      holdings.forgetHandedOver(subject, track?.manifest)
      if (track !== undefined) offers.publish(subject, track.manifest)
    })
  }

  function hurry(subject: Subject): void {
    for (const holding of holdings.ofSubject(subject)) {
      if (holding.state === 'missing') holdings.put({ ...holding, dueAt: now() })
    }
  }

  /** Without a receipt nobody can count the copy: then it is looked at as a whole, and signed for. */
  async function isHere({ subject, manifest }: LiveTrack): Promise<boolean> {
    return receipts.get(subject, manifest) !== undefined && (await ipfs.isPinned(manifest, { signal }))
  }

  async function planDirty(): Promise<void> {
    let looked = 0
    const look = async (subject: Subject) => {
      signal.throwIfAborted()
      await plan(subject)
      looked += 1
      if (looked % subjectsPerTurn !== 0) return
      repairs.start()
      await nextTurn()
    }
    if (everything && everythingAt <= now()) {
      everything = false
      try {
        for (const { subject } of catalogue.tracks()) await look(subject)
        for (const subject of holdings.subjects()) await look(subject)
      } catch (error) {
        everything = true
        throw error
      }
      everythingAt = now() + times.everythingEveryMs
    }
    for (const subject of dirty) {
      dirty.delete(subject)
      try {
        await look(subject)
      } catch (error) {
        dirty.add(subject)
        throw error
      }
    }
  }

  async function collect(): Promise<void> {
    if (now() < collectAt) return
    collectAt = now() + times.collectEveryMs
    const { removed, bytes } = await ipfs.collect({ graceMs: times.collectGraceMs, signal })
    if (removed > 0) logger.info({ removed, bytes }, 'blocks collected that nothing keeps')
    offers.forget(now() - offerMemoryMs)
  }

  async function sleep(): Promise<void> {
    const dueAt = [
      repairs.nextAt(),
      shedding.nextAt(),
      holdings.nextReleasingAt(),
      leaseEndsAt(),
      collectAt,
      everything ? everythingAt : undefined,
    ]
    const soonest = Math.min(...dueAt.filter((at) => at !== undefined))
    const ms = Math.min(Math.max(soonest - now(), shortestSleepMs), longestSleepMs)
    const timer = setTimeout(wakeUp, ms)
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
    const orphans = await whenThereIsRoom(() => letGoOfOrphans(options, signal), waiting)
    if (orphans > 0) logger.warn({ orphans }, 'pins that nothing knows of were taken away')
    while (!signal.aborted) {
      await whenThereIsRoom(round, waiting)
      await sleep()
    }
  }

  /** Each step is done again, from its beginning, should one of them meet a full disk. */
  async function round(): Promise<void> {
    // First, since it makes room without asking for any.
    await collect()
    await planDirty()
    endReplacedLeases(options)
    await letGoOfLeases(options, now() - times.leaseGraceMs)
    await letGoOfTracks(options, now())
    repairs.start()
    shedding.start()
  }

  function addDirty(subjects: readonly Subject[]): void {
    for (const subject of subjects) dirty.add(subject)
    if (dirty.size > dirtyLimit) {
      dirty.clear()
      everything = true
    }
    wakeUp()
  }

  const unsubscribe = catalogue.onChange(({ subjects, operators, ranks }) => {
    // Of what changes with operators alone, only this node's own standing counts here.
    if (ranks || operators) everything = true
    addDirty(subjects)
  })
  const unsubscribeTakedowns = takedowns.onChange((tracks) => {
    if (tracks === undefined) everything = true
    addDirty(tracks ?? [])
  })
  const running = run().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })

  return {
    recheck(subject) {
      urgent.add(subject)
      addDirty([subject])
    },
    reconsider: addDirty,
    reconsiderAll() {
      everything = true
      wakeUp()
    },
    press,
    isBringing: repairs.isBringing,
    async close() {
      unsubscribe()
      unsubscribeTakedowns()
      closing.abort(new DOMException('the node is closing', 'AbortError'))
      wakeUp()
      await running
      await Promise.all([repairs.ended(), shedding.ended()])
    },
  }
}
