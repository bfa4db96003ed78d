import { type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { LRUCache } from 'lru-cache'
import { type Catalogue, liveTrack } from '../catalogue/index.ts'
import type { PaidBlock } from './gate/index.ts'
import type { PaymentsView } from './payments-view.ts'

/** Paid tracks of which it is remembered, until the chain changes something. */
const tracksKept = 10_000

/** Tells what is sold of what was free before: see `createFreeElsewhere`. */
export type FreeElsewhere = {
  isFreeElsewhere(cid: string, block: Pick<PaidBlock, 'subject'>): boolean
  /** The track that sells a manifest, of all that have it; undefined where it is free, or nobody has it. */
  sellerOf(manifest: string): Subject | undefined
  close(): void
}

/**
 * Tells whether what a track sells was free before: whether a track that costs nothing had the same manifest first. Else
 * whoever publishes the free music of others for money would close it at every node. A free track that had it later opens
 * nothing: whoever publishes the music of others for nothing would make it free. What counts is when each of both had the
 * manifest for the first time, as the chain says, not when its number was first used, nor what it costs or cost meanwhile:
 * music that is free, sold for a while and free again is as if it had always been free.
 */
export function createFreeElsewhere({
  catalogue,
  view,
}: {
  catalogue: Pick<Catalogue, 'subject' | 'tracksWith' | 'onChange'>
  view: Pick<PaymentsView, 'termsOf' | 'onChange'>
}): FreeElsewhere {
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
    const manifest = liveTrack(sold, catalogue.subject(sold))?.manifest
    if (manifest === undefined) return false
    for (const { subject } of catalogue.tracksWith(manifest)) {
      if (subject === sold) return false
      if (isFree(subject)) return true
    }
    // So many sold it before it that its blocks cost something anyway.
    return false
  }

  return {
    isFreeElsewhere(_cid, { subject }) {
      const before = known.get(subject)
      if (before !== undefined) return before
      const found = look(subject)
      known.set(subject, found)
      return found
    },
    sellerOf(manifest) {
      const [first] = catalogue.tracksWith(manifest)
      return first === undefined || isFree(first.subject) ? undefined : first.subject
    },
    close() {
      for (const end of unsubscribe) end()
    },
  }
}
