import type { GuardedFetch } from '@hexachord/platform/http'
import type { Sqlite } from '@hexachord/platform/sqlite'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import type { Address } from '@hexachord/protocol/names'
import type { Source } from '@hexachord/protocol/retrieval'
import { type Catalogue, type LiveTrack, liveTrack } from '@hexachord/storage/catalogue'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import { peerIdFromHex } from '@hexachord/storage/peers'
import {
  bitswapSource,
  createNodeRetriever,
  gatewaySource,
  inspectTrack,
  otherHolders,
  pullTrack,
  type RootHasher,
} from '@hexachord/storage/tracks'
import type { KnownCopies } from '../copies/index.ts'
import type { OfferStore, Room } from '../offers/index.ts'
import type { IssueReceipt, ReceiptStore } from '../receipts/index.ts'
import { lastResorts } from './holders.ts'
import type { Holding, HoldingStore } from './holding-store.ts'

export type RepairDependencies = {
  database: Pick<Sqlite, 'transaction'>
  catalogue: Pick<Catalogue, 'operators' | 'ranks' | 'subject'>
  ipfs: IpfsNode
  fetch: GuardedFetch
  rootOf: RootHasher['rootOf']
  room: Pick<Room, 'freeBytes'>
  holdings: HoldingStore
  offers: Pick<OfferStore, 'keeps'>
  receipts: ReceiptStore
  issueReceipt: IssueReceipt
  /** Called with a track before any block of it is brought here. */
  onTrack?: ((track: LoadedTrack) => void) | undefined
  /** Who else holds a track, as far as known. */
  copiesOf: (track: LiveTrack) => KnownCopies
  /** This node's operator. */
  self: Address
  /** How long what is brought here is safe from collection; if it takes longer, the next try goes on. */
  leaseMs: number
  /** ms since 1970. */
  now: () => number
}

/** There is no room for a track that this node should hold. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom'
}

/** Sources that are asked for one block; more would only be slower to give up. */
const lastResortsAsked = 8

/**
 * Brings what is missing of a track here from others who hold it, pins it, and signs a receipt, so that anyone can
 * count this copy.
 * @throws NoRoom, and what `pullTrack` and `inspectTrack` throw
 */
export async function repair(
  holding: Holding,
  dependencies: RepairDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { database, catalogue, ipfs, rootOf, holdings, receipts, leaseMs, now } = dependencies
  const { subject, manifest, byteLength } = holding
  const track = liveTrack(subject, catalogue.subject(subject))
  const free = await dependencies.room.freeBytes()
  if (free < byteLength && !(await ipfs.isPinned(manifest))) {
    throw new NoRoom(`${byteLength} bytes are wanted, ${Math.max(0, free)} are free`)
  }
  const sources = track === undefined ? [] : sourcesOf(track, dependencies)
  const retriever = createNodeRetriever({ fetch: dependencies.fetch, sources: () => sources })
  const { roots } = await pullTrack({
    ipfs,
    retriever,
    rootOf,
    manifest,
    byteLimit: byteLength,
    leaseMs,
    now,
    onTrack: dependencies.onTrack,
    signal,
  })
  const held = await inspectTrack(ipfs, manifest, { signal, knownRoot: (cid) => roots.get(cid) })
  await ipfs.pin(manifest, { signal })
  const receipt = await dependencies.issueReceipt(subject, held)
  const isKnown = database.transaction(() => {
    const current = holdings.get(subject, manifest)
    if (current === undefined) return false
    receipts.put(receipt)
    // It may also have been deleted or replaced; then it is let go when its time comes.
    if (current.state === 'missing') {
      holdings.put({ ...current, state: 'held', dueAt: now(), attempts: 0, reason: null })
    }
    return true
  })
  // Let go while it was on its way here, when there was no pin yet to take away.
  if (!isKnown && !isKept(manifest, dependencies)) await ipfs.unpin(manifest)
}

/** Whether anything that this node knows of keeps a manifest. */
export function isKept(
  manifest: string,
  { holdings, offers }: { holdings: Pick<HoldingStore, 'ofManifest'>; offers: Pick<OfferStore, 'keeps'> },
): boolean {
  return holdings.ofManifest(manifest).length > 0 || offers.keeps(manifest)
}

function sourcesOf(track: LiveTrack, { catalogue, ipfs, self, copiesOf }: RepairDependencies): Source[] {
  const operators = catalogue.operators()
  const known = copiesOf(track).live.flatMap((name) => operators.get(name) ?? [])
  const holders = [...new Set([...known, ...otherHolders(track, catalogue, self)])]
  const others = lastResorts(holders, catalogue, self).slice(0, lastResortsAsked)
  const peers = holders.flatMap(({ peerId }) => peerIdFromHex(peerId) ?? [])
  return [
    ...holders.map(({ endpoint }) => gatewaySource(endpoint, 0)),
    ...(peers.length === 0 ? [] : [bitswapSource(ipfs, peers, 1)]),
    ...others.map(({ endpoint }) => gatewaySource(endpoint, 2)),
  ]
}
