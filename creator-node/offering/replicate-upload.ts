import type { Address } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { neededCopies } from '@hexachord/protocol/receipts'
import type { Catalogue, Ranks } from '@hexachord/storage/catalogue'
import { hasEnded, type Upload, type UploadChanges, WrongState } from '../uploads/index.ts'
import { followOffer, noteReplica, type OfferingOptions, type Outcome } from './follow-offer.ts'

export type ReplicationOptions = OfferingOptions & {
  catalogue: Pick<Catalogue, 'accepted'>
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
  const { uploads, changes, catalogue, now } = options
  const ending = new AbortController()
  const signal = AbortSignal.any([outer, ending.signal])
  const asked = new Map<Address, Promise<void>>()
  const outcomes = new Map<Address, Outcome>()
  let fault: unknown

  function ask(operator: Operator): void {
    noteReplica(id, operator, uploads)({ state: 'offered' })
    const following = followOffer(id, operator, options, signal).then(
      (outcome) => {
        outcomes.set(operator.operator, outcome)
      },
      (error: unknown) => {
        if (!signal.aborted) fault ??= error
      },
    )
    asked.set(
      operator.operator,
      following.finally(() => asked.delete(operator.operator)),
    )
  }

  try {
    for (;;) {
      outer.throwIfAborted()
      if (fault !== undefined) throw fault
      const upload = uploads.get(id)
      if (upload === undefined || hasEnded(upload.state)) return
      const ranks = catalogue.accepted(upload.subject)
      if (upload.copies !== ranks.copies) uploads.change(id, () => ({ copies: ranks.copies }))
      const plan = nextStep(upload, ranks, { asked: new Set(asked.keys()), outcomes })
      if (plan.ready) {
        uploads.apply(id, 'replicated', () => ({ endedAtMs: now() }))
        return
      }
      if (upload.grant.expiresAt <= now()) {
        uploads.apply(id, 'failed', () => ({ failure: expired(upload, ranks), endedAtMs: now() }))
        return
      }
      for (const operator of plan.ask) ask(operator)
      if (plan.exhausted) {
        await changes.next(id, options.retryMs ?? defaultRetryMs, outer)
        for (const [operator, outcome] of outcomes) if (outcome === 'failed') outcomes.delete(operator)
      } else {
        await Promise.race([...asked.values(), changes.next(id, options.retryMs ?? defaultRetryMs, outer)])
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
 * @param progress who is being asked now, and what came of those asked in this run */
export function nextStep(
  upload: Pick<Upload, 'state' | 'replicas'>,
  { operators, copies }: Ranks,
  progress: { asked: ReadonlySet<Address>; outcomes: ReadonlyMap<Address, Outcome> },
): { ready: boolean; ask: Operator[]; exhausted: boolean } {
  const stateOf = (operator: Address) =>
    upload.replicas.find((replica) => replica.operator === operator)?.state
  const held = operators.filter(({ operator }) => stateOf(operator) === 'held')
  const controllers = new Set(held.map(({ controller }) => controller)).size
  const open = operators.filter(({ operator, controller }) => {
    if (progress.asked.has(operator) || progress.outcomes.has(operator)) return false
    const state = stateOf(operator)
    if (state === 'held' || state === 'refused') return false
    return !held.some((other) => other.controller === controller)
  })
  const wanted = Math.max(0, copies - controllers - progress.asked.size)
  const ask = open.slice(0, wanted)
  const exhausted = ask.length === 0 && progress.asked.size === 0
  const enough =
    copies > 0 && (controllers >= copies || (exhausted && controllers >= Math.min(neededCopies, copies)))
  return { ready: upload.state === 'replicating' && enough, ask, exhausted }
}

function expired(upload: Upload, { copies }: Ranks): NonNullable<Upload['failure']> {
  const held = upload.replicas.filter(({ state }) => state === 'held').length
  return {
    problem: 'notReplicated',
    reason:
      copies === 0
        ? 'no operator was active to hold the track: upload it again when there is one'
        : `${held} of ${copies} operators held the track when the grant expired: upload it again`,
  }
}
