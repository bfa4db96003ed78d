import { setImmediate } from 'node:timers/promises'
import { Problem } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import { isDatabaseFull } from '@hexachord/platform/sqlite'
import type { Hash } from '@hexachord/protocol/names'
import type { HeldAction } from './held-actions.ts'
import { faultOfUpload, giveBack, type HoldOptions } from './hold-action.ts'
import { checkAgainstChain, openSigned, refusalAt, transactionOf } from './judge-action.ts'
import { isKnown, wasSent } from './relay-action.ts'

export type ReleaserOptions = HoldOptions & {
  logger: Logger
  /** Between two tries while the chain or the disk is away. @default 5 s */
  retryMs?: number
}

/** Sends what was held back when its time comes. */
export type Releaser = {
  /** Sends what is due, and judges what waits if that is due, too. Resolves when that is done. */
  look(): Promise<void>
  /** Has it look once the soonest of all is due. */
  wake(): void
  close(): Promise<void>
}

/** Between looks at the clock, which may be set, and stands still for the timers of a machine that sleeps; and at whether
 * an epoch has begun, which is no news to the catalogue when it begins like the one before. */
const clockMs = 5_000
/** Between two judgements of all that waits; an epoch that begins and a change of operators are other reasons. */
const roundMs = 10 * 60_000
const defaultRetryMs = 5_000
/** An artist can see for so long what became of a release. */
const keptMs = 30 * 86_400_000
/** An index that is further behind judges by operators of another day. */
const tolerableLagBlocks = 20

/**
 * Puts each held action into the outbox at its time, also after a restart, and at once what became due while the node was
 * away. It is judged once more before; one that every indexer would refuse by then is not sent, and its artist sees why.
 * What waits is judged from time to time, so that the artist learns early when it has to be signed anew.
 */
export function createReleaser(options: ReleaserOptions): Releaser {
  const { held, catalogue, sender, now, logger } = options
  const retryMs = options.retryMs ?? defaultRetryMs
  const closing = new AbortController()
  let running = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let judgedAtMs: number | undefined
  let judgedEpoch: number | undefined

  function look(): Promise<void> {
    running = running.then(async () => {
      clearTimeout(timer)
      if (closing.signal.aborted) return
      const isDone = await round()
      if (!closing.signal.aborted) schedule(isDone ? untilNext() : retryMs)
    })
    return running
  }

  /** What goes wrong that is no fault of chain or disk ends the process loudly, as an unhandled rejection. */
  function schedule(ms: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => void look(), Math.max(0, Math.min(ms, clockMs)))
  }

  function untilNext(): number {
    return (held.nextAtMs() ?? Number.POSITIVE_INFINITY) - now()
  }

  /** @returns whether nothing is left to try again soon */
  async function round(): Promise<boolean> {
    try {
      for (const hash of held.waiting(now())) {
        if (closing.signal.aborted) return true
        // The chain is away for all the others, too.
        if (!(await release(hash))) return false
      }
      if (isRoundDue()) await judgeWaiting()
      return true
    } catch (err) {
      if (!isDatabaseFull(err)) throw err
      logger.error({ err }, 'the disk is full: releases wait for room')
      return false
    }
  }

  /** @returns false when it has to wait for the chain */
  async function release(hash: Hash): Promise<boolean> {
    const due = held.get(hash)
    if (due === undefined) return true
    const { action: signed } = due
    const action = openSigned(signed, catalogue)
    if (!isKnown(hash, options)) {
      try {
        if (signed.deadline * 1000 <= now()) throw tooLate()
        await checkAgainstChain(action, options)
        // It may have been withdrawn or put off meanwhile.
        const still = held.get(hash)
        if (still === undefined || still.holdUntilMs > now() || hasEnded(still)) return true
        const refusal = refusalAt(now(), action, options)
        if (refusal) throw refusal
        const fault = faultOfUpload(action, options, 0)
        if (fault !== undefined) throw new Problem({ status: 409, detail: fault })
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        if (error.status === 503) return false
        options.database.transaction(() => {
          held.setState(hash, 'refused', error.message, now())
          giveBack(due, options)
        })
        logger.warn({ action: hash, reason: error.message }, 'a release was refused')
        return true
      }
      const { to, data } = transactionOf(signed, catalogue)
      sender.enqueue({ id: hash, to, data })
    }
    held.setState(hash, 'sent', undefined, now())
    logger.info({ action: hash, lateMs: now() - due.holdUntilMs }, 'released')
    return true
  }

  function isRoundDue(): boolean {
    if (judgedAtMs === undefined || judgedEpoch !== catalogue.epoch()) return true
    return Math.abs(now() - judgedAtMs) >= roundMs
  }

  async function judgeWaiting(): Promise<void> {
    if (catalogue.behind() > tolerableLagBlocks) return
    judgedAtMs = now()
    judgedEpoch = catalogue.epoch()
    for (const hash of held.waiting()) {
      // Signatures take some ms each, and others wait for this process, too.
      await setImmediate()
      if (closing.signal.aborted) return
      const waiting = held.get(hash)
      if (waiting !== undefined && !hasEnded(waiting)) judge(waiting)
    }
    held.forget(now() - keptMs)
  }

  /** As of its time, as far as that can be known today. */
  function judge({ hash, action: signed, holdUntilMs, state, reason }: HeldAction): void {
    // Its artist did not wait.
    if (wasSent(hash, options)) {
      held.setState(hash, 'sent', undefined, now())
      return
    }
    const action = openSigned(signed, catalogue)
    const fault =
      refusalAt(holdUntilMs, action, options)?.message ?? faultOfUpload(action, options, holdUntilMs)
    const next = fault === undefined ? 'waiting' : 'outdated'
    if (next !== state || fault !== reason) held.setState(hash, next, fault, now())
  }

  const unsubscribe = catalogue.onChange(({ operators, ranks, subjects }) => {
    if (!operators && !ranks && !subjects.some((subject) => held.waitingOf(subject))) return
    judgedAtMs = undefined
    schedule(0)
  })
  schedule(0)

  return {
    look,
    wake: () => schedule(untilNext()),
    async close() {
      unsubscribe()
      closing.abort()
      clearTimeout(timer)
      await running
    },
  }
}

function hasEnded({ state }: HeldAction): boolean {
  return state === 'sent' || state === 'refused'
}

function tooLate(): Problem {
  return new Problem({ status: 400, detail: 'it was signed for a time that is past: the node was away' })
}
