import type { Logger } from '@hexachord/platform/process'
import { whenThereIsRoom } from '@hexachord/platform/sqlite'
import type { HeldTrack } from '@hexachord/protocol/receipts'
import type { NodeClient } from '@hexachord/storage/peers'
import type { OfferStore } from '../offers/index.ts'
import { hasEnoughCopies } from './enough-copies.ts'
import type { Holding } from './holding-store.ts'
import { NoRoom, type RepairDependencies, repair } from './repair.ts'
import { retryDelayMs } from './retry-delay.ts'
import { type Standing, type Urgency, urgencies } from './standing.ts'

/** Brings missing tracks here, the most urgent first, a few at a time. */
export type Repairs = {
  /** Begins what is due and has a place. */
  start(): void
  /** Whether a track is on its way here at this moment. */
  isBringing(track: HeldTrack): boolean
  /** When there is something to begin, in ms since 1970; undefined when there is nothing or no place. */
  nextAt(): number | undefined
  /** Waits until nothing is on its way; for after the signal was aborted. */
  ended(): Promise<void>
}

/** Tracks brought here at one time; offers that somebody waits for come first. */
const repairsAtOnce = 3
/** Of these, tracks of which there are enough copies elsewhere. */
const sparesAtOnce = 1

/** What a node takes over from others that have enough copies comes at this rate: whoever joins takes hours, and
 * takes no more of the others' lines than their scrubs take of their disks. */
export const defaultRebalanceBytesPerSecond = 8 * 1024 * 1024

export function createRepairs(
  options: RepairDependencies & {
    client: NodeClient
    offers: Pick<OfferStore, 'publish'>
    /** What a holding's track is to this node now; undefined when it is no track any more. */
    standingOf: (holding: Holding) => Standing | undefined
    /** Bytes per second of tracks of which there are enough copies elsewhere. */
    rebalanceBytesPerSecond: number
    /** Called after each try to bring a track here. */
    onRepair: (outcome: 'brought' | 'failed') => void
    /** Called when there is no room for a track. */
    onNoRoom: () => void
    /** Called when one has ended. */
    onEnded: () => void
    logger: Logger
    random: () => number
    signal: AbortSignal
  },
): Repairs {
  const { holdings, offers, database, logger, now, random, signal } = options
  const waiting = { what: 'a repair', signal, logger }
  const running = new Map<string, { task: Promise<void>; isSpare: boolean; isPulling: boolean }>()
  /** Before this, no more than what others lack is brought. */
  let spareAt = 0

  function upTo(): Urgency {
    const spares = [...running.values()].filter(({ isSpare }) => isSpare).length
    return spares < sparesAtOnce && spareAt <= now() ? urgencies.spare : urgencies.soon
  }

  async function bring(holding: Holding): Promise<void> {
    try {
      await whenThereIsRoom(() => bringUnlessOthersDo(holding), waiting)
    } catch (err) {
      if (signal.aborted) return
      options.onRepair('failed')
      if (err instanceof NoRoom) options.onNoRoom()
      await whenThereIsRoom(() => putOff(holding, err), waiting)
    }
  }

  async function bringUnlessOthersDo(holding: Holding): Promise<void> {
    const { subject, manifest } = holding
    if (await isTakenCareOf(holding)) {
      forget(holding)
      logger.info({ subject, manifest }, 'others have brought a track back')
      return
    }
    const entry = running.get(nameOf(holding))
    if (entry !== undefined) entry.isPulling = true
    await repair(holding, options, signal)
    offers.publish(subject, manifest)
    options.onRepair('brought')
    logger.info({ subject, manifest }, 'track brought here')
  }

  /** One in reserve looks again, right before: it is not needed where another one was quicker. */
  async function isTakenCareOf(holding: Holding): Promise<boolean> {
    const standing = options.standingOf(holding)
    if (standing === undefined || standing.kind === 'duty' || standing.kind === 'promised') return false
    // A copy that is here and damaged is mended: most of it need not be brought.
    if (await options.ipfs.isPinned(holding.manifest, { signal })) return false
    return hasEnoughCopies(holding, options, signal)
  }

  function forget({ subject, manifest }: Holding): void {
    database.transaction(() => {
      if (holdings.get(subject, manifest)?.state === 'missing') holdings.remove(subject, manifest)
    })
  }

  function putOff({ subject, manifest }: Holding, err: unknown): void {
    const current = holdings.get(subject, manifest)
    if (current?.state !== 'missing') return
    const attempts = current.attempts + 1
    const delayMs = retryDelayMs(attempts, random())
    const reason = err instanceof Error ? err.message : String(err)
    holdings.put({ ...current, attempts, reason, dueAt: now() + delayMs })
    logger.warn({ err, subject, manifest, attempts, delayMs }, 'track cannot be brought here yet')
  }

  function begin(holding: Holding): void {
    const isSpare = holding.urgency === urgencies.spare
    if (isSpare) {
      const ms = (holding.byteLength / options.rebalanceBytesPerSecond) * 1000
      spareAt = Math.max(spareAt, now()) + ms
    }
    const name = nameOf(holding)
    const task = bring(holding)
      .catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      .finally(() => {
        running.delete(name)
        options.onEnded()
      })
    running.set(name, { task, isSpare, isPulling: false })
  }

  return {
    start() {
      while (running.size < repairsAtOnce && !signal.aborted) {
        const due = holdings.dueMissing(now(), upTo(), repairsAtOnce + 1)
        const next = due.find((holding) => !running.has(nameOf(holding)))
        if (next === undefined) return
        begin(next)
      }
    },
    isBringing: (track) => running.get(nameOf(track))?.isPulling === true,
    nextAt() {
      // What is under way is due, too; when it ends, that wakes the keeper up.
      if (running.size > 0) return undefined
      const soon = holdings.nextMissingAt(urgencies.soon)
      const spare = holdings.nextMissingAt(urgencies.spare)
      const times = [soon, spare === undefined ? undefined : Math.max(spare, spareAt)]
      const known = times.filter((at) => at !== undefined)
      return known.length === 0 ? undefined : Math.min(...known)
    },
    async ended() {
      await Promise.all([...running.values()].map(({ task }) => task))
    },
  }
}

function nameOf({ subject, manifest }: HeldTrack): string {
  return `${subject} ${manifest}`
}
