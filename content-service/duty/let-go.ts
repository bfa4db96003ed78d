import type { Sqlite } from '@hexachord/platform/sqlite'
import type { ArchiveKeeper } from '@hexachord/storage/archives'
import type { Catalogue } from '@hexachord/storage/catalogue'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import type { OfferStore } from '../offers/index.ts'
import type { ReceiptStore } from '../receipts/index.ts'
import type { HoldingStore } from './holding-store.ts'
import { isKept } from './repair.ts'

type Stores = {
  database: Pick<Sqlite, 'transaction'>
  ipfs: Pick<IpfsNode, 'unpin'>
  holdings: HoldingStore
  offers: OfferStore
  receipts: ReceiptStore
}

type OrphanStores = Pick<Stores, 'holdings' | 'offers'> & {
  ipfs: Pick<IpfsNode, 'pins' | 'unpin'>
  /** What is pinned and no track. */
  archives: Pick<ArchiveKeeper, 'holds'>
}

/** Let go at one time; the rest has its turn soon. */
const batchSize = 50

/** Unpins what was deleted or replaced and whose grace ended at or before a time, unless the same content is kept
 * under another name. Each is unpinned before it is forgotten: a crash in between is made good by the next start. */
export async function letGoOfTracks(stores: Stores, at: number): Promise<void> {
  const { database, ipfs, holdings, offers, receipts } = stores
  for (const { subject, manifest } of holdings.dueReleasing(at, batchSize)) {
    const keptElsewhere = holdings
      .ofManifest(manifest)
      .some((other) => other.subject !== subject && (other.state !== 'releasing' || other.dueAt > at))
    if (!keptElsewhere && !offers.keeps(manifest)) await ipfs.unpin(manifest)
    database.transaction(() => {
      holdings.remove(subject, manifest)
      if (!offers.keepsAs(subject, manifest)) receipts.remove(subject, manifest)
    })
  }
}

/**
 * Ends leases on what a track had and has no more: they were published while this node was away, or while it was still
 * bringing them here. They would keep their blocks until their offers end, which takes days.
 */
export function endReplacedLeases({
  offers,
  catalogue,
}: Pick<Stores, 'offers'> & { catalogue: Pick<Catalogue, 'replacedAt'> }): void {
  for (const { id, subject, manifest, takenAt, expiresAt } of offers.inState('held')) {
    const at = manifest === null ? undefined : catalogue.replacedAt(subject, manifest)
    // The same may have been offered once more since.
    if (at !== undefined && at >= takenAt && at < expiresAt) offers.endAt(id, at)
  }
}

/** Unpins what was offered but never published, if the offer ended at or before a time. */
export async function letGoOfLeases(stores: Stores, at: number): Promise<void> {
  const { database, ipfs, holdings, offers, receipts } = stores
  for (const { id, subject, manifest } of offers.overdue(at)) {
    if (manifest === null) continue
    const isDuty = holdings.get(subject, manifest) !== undefined
    const keptElsewhere = holdings.ofManifest(manifest).length > 0 || offers.keeps(manifest, id)
    if (!keptElsewhere) await ipfs.unpin(manifest)
    database.transaction(() => {
      offers.expire(id)
      // Another creator node may have offered the same under the same name, and waits to publish it.
      if (!isDuty && !offers.keepsAs(subject, manifest)) receipts.remove(subject, manifest)
    })
  }
}

/** Unpins what nothing here knows of: left by a crash between a pin and its record.
 * @returns how many there were */
export async function letGoOfOrphans(
  { ipfs, holdings, offers, archives }: OrphanStores,
  signal: AbortSignal,
): Promise<number> {
  let orphans = 0
  for await (const manifest of ipfs.pins({ signal })) {
    if (isKept(manifest, { holdings, offers }) || archives.holds(manifest)) continue
    await ipfs.unpin(manifest)
    orphans += 1
  }
  return orphans
}
