import { type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { LRUCache } from 'lru-cache'
import { type Catalogue, liveTrack } from '../catalogue/index.ts'
import type { PaidBlock } from './gate/index.ts'
import type { PaymentsView } from './payments-view.ts'

/** Paid tracks of which it is remembered, until the chain changes something. */
const tracksKept = 10_000

/**
 * Tells whether what a track sells was free before: whether a track that costs nothing has the same manifest, and has
 * stayed as it is since before the one that is sold was published. Else whoever publishes the free music of others for
 * money would close it at every node. A free track that came or changed later opens nothing: whoever publishes the music
 * of others for nothing would make it free.
 */
export function createFreeElsewhere({
  catalogue,
  view,
}: {
  catalogue: Pick<Catalogue, 'subject' | 'tracksWith' | 'onChange'>
  view: Pick<PaymentsView, 'termsOf' | 'onChange'>
}): { isFreeElsewhere(cid: string, block: Pick<PaidBlock, 'subject'>): boolean; close(): void } {
  const known = new LRUCache<Subject, boolean>({ max: tracksKept })
  const unsubscribe = [
    catalogue.onChange(({ subjects }) => {
      if (subjects.length > 0) known.clear()
    }),
    view.onChange(({ tracks }) => {
      if (tracks.length > 0) known.clear()
    }),
  ]

  function isFree(subject: Subject): boolean {
    return (view.termsOf(subjectToBytes32(subject))?.unitPrice ?? 0n) === 0n
  }

  function look(sold: Subject): boolean {
    const state = catalogue.subject(sold)
    const manifest = liveTrack(sold, state)?.manifest
    if (state === undefined || manifest === undefined) return false
    return catalogue
      .tracksWith(manifest)
      .some(
        (other) =>
          other.subject !== sold && other.state.updatedAtMs < state.createdAtMs && isFree(other.subject),
      )
  }

  return {
    isFreeElsewhere(_cid, { subject }) {
      const before = known.get(subject)
      if (before !== undefined) return before
      const found = look(subject)
      known.set(subject, found)
      return found
    },
    close() {
      for (const end of unsubscribe) end()
    },
  }
}
