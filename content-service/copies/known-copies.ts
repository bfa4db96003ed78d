import type { Address } from '@hexachord/protocol/names'
import type { Catalogue, LiveTrack } from '@hexachord/storage/catalogue'
import type { CopyStore } from './copy-store.ts'
import type { Reconciler } from './reconciler.ts'

/** Copies of a track on other operators' nodes, as far as this node knows. */
export type KnownCopies = {
  /** Operators that hold it, whether they answer at this moment or not. */
  readonly holders: readonly Address[]
  /** Those of them that answer. */
  readonly live: readonly Address[]
}

/**
 * Who else holds a track: by what the operators listed when they were last asked; and where that was before the
 * track was published, by the receipts that it was published with.
 * @param options.settleMs how long after a publication a listing may still be without it
 */
export function createKnownCopies(options: {
  catalogue: Pick<Catalogue, 'operators'>
  copies: Pick<CopyStore, 'holders'>
  reconciler: Pick<Reconciler, 'answers' | 'learntAt'>
  self: Address
  settleMs: number
}): (track: Pick<LiveTrack, 'subject' | 'manifest' | 'operators' | 'updatedAtMs'>) => KnownCopies {
  const { catalogue, copies, reconciler, self, settleMs } = options

  return (track) => {
    const registered = catalogue.operators()
    const listed = copies.holders(track.subject, track.manifest)
    const promised = track.operators.filter((operator) => {
      const learntAt = reconciler.learntAt(operator)
      return learntAt === undefined || learntAt < track.updatedAtMs + settleMs
    })
    const holders = [...new Set([...listed, ...promised])].filter((name) => {
      const operator = registered.get(name)
      return name !== self && operator !== undefined && (operator.active || operator.exiting)
    })
    return { holders, live: holders.filter(reconciler.answers) }
  }
}
