import type { Address } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { fullCopies, neededCopies } from '@hexachord/protocol/receipts'
import type { Catalogue, Ranks } from '@hexachord/storage/catalogue'
import { explain, type Takedowns } from '@hexachord/storage/takedowns'
import {
  hasEnded,
  type Upload,
  type UploadChanges,
  type UploadReplica,
  WrongState,
} from '../uploads/index.ts'
import { withoutOutdated } from './counting-receipts.ts'
import { followOffer, noteReplica, type OfferingOptions, type Outcome } from './follow-offer.ts'

export type ReplicationOptions = OfferingOptions & {
  catalogue: Pick<Catalogue, 'accepted' | 'operators' | 'subject'>
  takedowns: Pick<Takedowns, 'trackDenied'>
  changes: UploadChanges
  /** Before operators that could not be reached are asked again. @default 15 s */
  retryMs?: number
}

const defaultRetryMs = 15_000

/**
 * Brings an upload's track to as many operators as it shall have copies, beginning while it is still being made: the
 * first in rank are asked, and for each that refuses or stays away the next. Ends when the upload is ready, or has
 * ended otherwise; goes on where an earlier run stopped. It is ready with fewer copies than it shall have when all
 * others in rank have been asked in vain and an indexer would still accept it.
 */
export async function replicateUpload(
  id: string,
  options: ReplicationOptions,
  outer: AbortSignal,
): Promise<void> {
  const { uploads, changes, catalogue, takedowns, now } = options
  const ending = new AbortController()
  const signal = AbortSignal.any([outer, ending.signal])
  const asked = new Map<Address, Promise<void>>()
  const outcomes = new Map<Address, Outcome>()
  /** Asked, and not heard for a while. */
  const silent = new Set<Address>()
  let fault: unknown
  let wake = Promise.withResolvers<void>()

  function ask(operator: Operator): void {
    noteReplica(id, operator, uploads)({ state: 'offered' })
    const onSilence = (isSilent: boolean) => {
      if (isSilent) silent.add(operator.operator)
      else silent.delete(operator.operator)
      wake.resolve()
    }
    const following = followOffer(id, operator, options, signal, onSilence).then(
      (outcome) => {
        outcomes.set(operator.operator, outcome)
      },
      (error: unknown) => {
        if (!signal.aborted) fault ??= error
      },
    )
    asked.set(
      operator.operator,
      following.finally(() => {
        asked.delete(operator.operator)
        silent.delete(operator.operator)
      }),
    )
  }

  try {
    for (;;) {
      outer.throwIfAborted()
      if (fault !== undefined) throw fault
      const upload = uploads.get(id)
      if (upload === undefined || hasEnded(upload.state)) return
      if (catalogue.subject(upload.subject)?.deleted) {
        uploads.apply(id, 'failed', () => ({ failure: deleted, endedAtMs: now() }))
        return
      }
      const takedown = takedowns.trackDenied(upload.subject)
      if (takedown !== undefined) {
        const reason = `this operator takes part in it no more: ${explain(takedown)}`
        uploads.apply(id, 'failed', () => ({ failure: { problem: 'takenDown', reason }, endedAtMs: now() }))
        return
      }
      const replicas = withoutOutdated(upload, { catalogue, nowMs: now() })
      if (replicas !== undefined) {
        uploads.change(id, () => ({ replicas }))
        continue
      }
      const ranks = catalogue.accepted(upload.subject)
      noteStanding(upload, ranks, uploads)
      const plan = nextStep(upload, ranks, { asked: new Set(asked.keys()), silent, outcomes })
      if (plan.ready) {
        uploads.apply(id, 'replicated', () => ({ endedAtMs: now() }))
        return
      }
      if (plan.refusedByAll || upload.grant.expiresAt <= now()) {
        const failure = plan.refusedByAll ? refusedByAll(upload, ranks) : expired(upload, ranks)
        uploads.apply(id, 'failed', () => ({ failure, endedAtMs: now() }))
        return
      }
      for (const operator of plan.ask) ask(operator)
      if (plan.exhausted) {
        await changes.next(id, options.retryMs ?? defaultRetryMs, outer)
        for (const [operator, outcome] of outcomes) if (outcome === 'failed') outcomes.delete(operator)
      } else {
        await Promise.race([
          ...asked.values(),
          wake.promise,
          changes.next(id, options.retryMs ?? defaultRetryMs, outer),
        ])
        wake = Promise.withResolvers<void>()
      }
    }
  } catch (error) {
    // Cancelled or failed between two looks: nothing is left to do.
    if (!(error instanceof WrongState)) throw error
  } finally {
    ending.abort(new DOMException('replication has ended', 'AbortError'))
    await Promise.allSettled(asked.values())
  }
}

/** What to do next for an upload, by how its replicas stand. Pure.
 * @param progress who is being asked now, who of these says nothing, and what came of those asked in this run */
export function nextStep(
  upload: Pick<Upload, 'state' | 'replicas'>,
  { operators, copies }: Ranks,
  progress: {
    asked: ReadonlySet<Address>
    silent?: ReadonlySet<Address>
    outcomes: ReadonlyMap<Address, Outcome>
  },
): { ready: boolean; ask: Operator[]; exhausted: boolean; refusedByAll: boolean } {
  const held = holders(upload, operators)
  const controllers = new Set(held.map(({ controller }) => controller))
  const open = operators.filter(({ operator, controller }) => {
    if (progress.asked.has(operator) || progress.outcomes.has(operator)) return false
    return stateOf(upload, operator) !== 'refused' && !controllers.has(controller)
  })
  // Whoever says nothing may be away for long: the next in rank is asked beside it.
  const answering = [...progress.asked].filter((operator) => !progress.silent?.has(operator)).length
  const wanted = Math.max(0, copies - controllers.size - answering)
  const ask = open.slice(0, wanted)
  const exhausted = ask.length === 0 && progress.asked.size === 0
  const acceptable = controllers.size >= Math.min(neededCopies, copies)
  const enough = copies > 0 && (controllers.size >= copies || (exhausted && acceptable))
  const hopeless =
    exhausted &&
    !acceptable &&
    operators.every(
      ({ operator, controller }) => stateOf(upload, operator) === 'refused' || controllers.has(controller),
    )
  const complete = upload.state === 'replicating'
  return { ready: complete && enough, ask, exhausted, refusedByAll: complete && copies > 0 && hopeless }
}

/** Operators in rank that hold the track. */
function holders({ replicas }: Pick<Upload, 'replicas'>, operators: readonly Operator[]): Operator[] {
  return operators.filter(({ operator }) => stateOf({ replicas }, operator) === 'held')
}

function stateOf(
  { replicas }: Pick<Upload, 'replicas'>,
  operator: Address,
): UploadReplica['state'] | undefined {
  return replicas.find((replica) => replica.operator === operator)?.state
}

/** Writes how many copies there are and what is waited for, when that is news. */
function noteStanding(upload: Upload, ranks: Ranks, uploads: ReplicationOptions['uploads']): void {
  const held = new Set(holders(upload, ranks.operators).map(({ controller }) => controller)).size
  const standing = { copies: ranks.copies, heldCopies: held, waitingFor: waitingFor(upload, ranks, held) }
  const { copies, heldCopies, waitingFor: before } = upload
  if (
    copies !== standing.copies ||
    (heldCopies ?? 0) !== standing.heldCopies ||
    before !== standing.waitingFor
  ) {
    uploads.change(upload.id, () => standing)
  }
}

/** For people: why there are not as many copies as usual. Pure. */
export function waitingFor(
  { state, replicas }: Pick<Upload, 'state' | 'replicas'>,
  { copies }: Ranks,
  heldCopies: number,
): string | undefined {
  if (state !== 'replicating') return undefined
  if (copies === 0) return 'no operator is active to hold the track: it waits until there is one'
  const few =
    copies < fullCopies ? `the network has operators for ${copies} of ${fullCopies} copies` : undefined
  if (heldCopies >= copies) return few
  const others = replicas.flatMap(({ endpoint, reason }) =>
    reason === undefined ? [] : [`${endpoint}: ${reason}`],
  )
  return [`${heldCopies} of ${copies} copies are there`, ...(few ? [few] : []), ...others].join('; ')
}

/** Operators that are still pulling stop when they see the upload's list has failed. */
const deleted = {
  problem: 'deleted',
  reason: 'the track was deleted while it was being replicated, and its number with it: take a new one',
} as const

function refusedByAll({ replicas }: Upload, { copies }: Ranks): NonNullable<Upload['failure']> {
  const reasons = replicas.flatMap(({ state, operator, reason }) =>
    state === 'refused' ? [`${operator}: ${reason ?? 'refused'}`] : [],
  )
  return {
    problem: 'refusedByAll',
    reason: `every operator that could hold the track has refused it, and ${Math.min(neededCopies, copies)} copies are needed. ${reasons.join('; ')}`,
  }
}

function expired({ replicas }: Upload, { copies }: Ranks): NonNullable<Upload['failure']> {
  const held = replicas.filter(({ state }) => state === 'held').length
  const reasons = replicas.flatMap(({ operator, reason }) =>
    reason === undefined ? [] : [`${operator}: ${reason}`],
  )
  return {
    problem: 'notReplicated',
    reason: [
      copies === 0
        ? 'no operator was active to hold the track: upload it again when there is one'
        : `${held} of ${copies} operators held the track when the grant expired: upload it again`,
      ...reasons,
    ].join('; '),
  }
}
