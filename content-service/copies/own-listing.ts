import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Address } from '@hexachord/protocol/names'
import { acceptedRanks } from '@hexachord/protocol/placement'
import {
  bucketDigest,
  bucketOf,
  compareHeld,
  type HeldTrack,
  type HoldingDigests,
  holdingBuckets,
  holdingRoot,
} from '@hexachord/protocol/receipts'
import type { Catalogue } from '@hexachord/storage/catalogue'
import type { HoldingStore } from '../duty/index.ts'

/** What this node holds and another operator is concerned with, in buckets with their digests. */
export type Listing = HoldingDigests & {
  readonly items: readonly (readonly HeldTrack[])[]
}

/** Makes listings, each at most so often per operator, however often it is asked. */
export type OwnListings = (asker: Address) => Promise<Listing>

/** Made once per round of the other side; within it every page comes from the same one. */
export const defaultListingMs = 30_000
/** Askers whose listings are kept; another one costs one reading of the table of holdings. */
const keptListings = 16
const rowsPerTurn = 500

export function createOwnListings(options: {
  holdings: Pick<HoldingStore, 'held'>
  catalogue: Pick<Catalogue, 'ranks'>
  /** ms since 1970. */
  now: () => number
  /** How long one is given again. @default 30 s */
  listingMs?: number | undefined
}): OwnListings {
  const { holdings, catalogue, now, listingMs = defaultListingMs } = options
  const kept = new Map<Address, { madeAt: number; listing: Promise<Listing> }>()
  /** One is made at a time: each goes through everything that is held. */
  let making: Promise<unknown> = Promise.resolve()

  async function make(asker: Address): Promise<Listing> {
    const items = Array.from({ length: holdingBuckets }, (): HeldTrack[] => [])
    let looked = 0
    for (const { subject, manifest } of holdings.held()) {
      looked += 1
      if (looked % rowsPerTurn === 0) await nextTurn()
      if (!isCandidate(asker, catalogue.ranks(subject).operators)) continue
      items[bucketOf(manifest)]?.push({ subject, manifest })
    }
    for (const bucket of items) bucket.sort(compareHeld)
    const buckets = await Promise.all(items.map(bucketDigest))
    return { root: await holdingRoot(buckets), buckets, items }
  }

  return (asker) => {
    const known = kept.get(asker)
    if (known !== undefined && known.madeAt + listingMs > now()) return known.listing
    const listing = making.then(() => make(asker))
    making = listing.catch(() => undefined)
    kept.delete(asker)
    kept.set(asker, { madeAt: now(), listing })
    listing.catch(() => kept.delete(asker))
    for (const oldest of kept.keys()) {
      if (kept.size <= keptListings) break
      kept.delete(oldest)
    }
    return listing
  }
}

/** Whether an operator may ever have to hold a track with these ranks. */
export function isCandidate(operator: Address, ranks: readonly { operator: Address }[]): boolean {
  return ranks.slice(0, acceptedRanks).some((ranked) => ranked.operator === operator)
}
