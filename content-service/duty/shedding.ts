import type { Logger } from '@hexachord/platform/process'
import { isDatabaseFull, type Sqlite, whenThereIsRoom } from '@hexachord/platform/sqlite'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import type { OfferStore } from '../offers/index.ts'
import { type ProveElsewhereDependencies, proveElsewhere } from '../proofs/index.ts'
import type { ReceiptStore } from '../receipts/index.ts'
import type { Holding, HoldingStore } from './holding-store.ts'

/** Lets extra copies go, slowly, each only after enough others have proved theirs, and proved them again at the end
 * of the grace. */
export type Shedding = {
  /** Begins a look at some that are due, unless one is under way. */
  start(): void
  /** Space is short: what may go goes without its grace. */
  press(): void
  /** When there is something to look at, in ms since 1970. */
  nextAt(): number | undefined
  /** Waits until nothing is under way; for after the signal was aborted. */
  ended(): Promise<void>
}

/** Before the next round when the disk has no room to note what came of one: others are asked for proofs each time. */
const fullPauseMs = 60_000
/** Looked at in one round. */
const copiesPerRound = 4

export function createShedding(
  options: ProveElsewhereDependencies & {
    database: Pick<Sqlite, 'transaction'>
    ipfs: Pick<IpfsNode, 'get' | 'unpin'>
    holdings: HoldingStore
    offers: Pick<OfferStore, 'keeps'>
    receipts: Pick<ReceiptStore, 'remove'>
    /** How long a copy is kept after it was proved to be one too many, in ms. */
    releaseGraceMs: number
    /** Between two looks at one copy, and between rounds, in ms. */
    shedRetryMs: number
    shedPauseMs: number
    /** Called when a copy was let go because of a lack of room. */
    onPressed: () => void
    /** Called when a round has ended. */
    onEnded: () => void
    logger: Logger
    /** ms since 1970. */
    now: () => number
    /** From 0 to below 1. */
    random: () => number
    signal: AbortSignal
  },
): Shedding {
  const { database, ipfs, holdings, offers, receipts, logger, now, random, signal } = options
  let running: Promise<void> | undefined
  let roundAt = 0
  let pressed = false

  async function round(): Promise<void> {
    const isPressed = pressed
    pressed = false
    const due = holdings.dueExtra(isPressed ? Number.MAX_SAFE_INTEGER : now(), copiesPerRound)
    let letGo = 0
    for (const holding of due) {
      signal.throwIfAborted()
      if (await examine(holding, isPressed)) letGo += 1
    }
    if (isPressed && letGo > 0) options.onPressed()
  }

  /** @returns whether it was let go */
  async function examine(holding: Holding, isPressed: boolean): Promise<boolean> {
    const { subject, manifest } = holding
    const fault = await faultOf(holding)
    const current = holdings.get(subject, manifest)
    // It may have become a duty, or have been deleted, while others were asked.
    if (current === undefined || !current.extra || current.state === 'missing') return false
    if (fault !== undefined) {
      const dueAt = Math.round(now() + options.shedRetryMs * (1 + random() / 2))
      holdings.put({ ...current, state: 'held', dueAt, reason: fault })
      return false
    }
    if (current.state === 'held' && !isPressed) {
      holdings.put({ ...current, state: 'releasing', dueAt: now() + options.releaseGraceMs, reason: null })
      return false
    }
    await remove(current)
    logger.info({ subject, manifest }, 'an extra copy was let go after others had proved theirs')
    return true
  }

  async function faultOf(holding: Holding): Promise<string | undefined> {
    try {
      return await proveElsewhere(holding, options, signal)
    } catch (error) {
      signal.throwIfAborted()
      return `the copy here cannot be read: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  async function remove({ subject, manifest }: Holding): Promise<void> {
    const others = holdings.ofManifest(manifest).filter((other) => other.subject !== subject)
    if (others.length === 0 && !offers.keeps(manifest)) await ipfs.unpin(manifest)
    // What is unpinned must not go on being called held.
    await whenThereIsRoom(
      () =>
        database.transaction(() => {
          holdings.handOver(subject, manifest)
          receipts.remove(subject, manifest)
        }),
      { what: 'shedding', signal, logger },
    )
  }

  return {
    start() {
      if (running !== undefined || signal.aborted || (roundAt > now() && !pressed)) return
      roundAt = now() + options.shedPauseMs
      const task = round()
        .catch((err: unknown) => {
          if (signal.aborted) return
          if (!isDatabaseFull(err)) throw err
          // What the others have proved will be old when there is room: then they are asked again.
          roundAt = now() + fullPauseMs
          logger.error({ err }, 'the disk is full: extra copies are looked at later')
        })
        .finally(() => {
          running = undefined
          options.onEnded()
        })
      running = task
    },
    press() {
      pressed = true
    },
    nextAt() {
      if (running !== undefined) return undefined
      const at = holdings.nextExtraAt()
      return at === undefined ? undefined : Math.max(at, roundAt)
    },
    async ended() {
      await running
    },
  }
}
