import type { Address } from '@hexachord/protocol/names'
import type { Catalogue } from '@hexachord/storage/catalogue'
import type { ConnectedIpfs } from '@hexachord/storage/ipfs'
import { type FollowingStatus, nodeStatus } from '@hexachord/storage/node'
import type { Takedowns } from '@hexachord/storage/takedowns'
import type { NodeTill } from '@hexachord/storage/till'
import { type Replication, replicationNow } from '@hexachord/storage/tracks'
import type { Reconciler } from './copies/index.ts'
import type { HoldingStore } from './duty/index.ts'
import type { OfferStore, Room } from './offers/index.ts'
import type { ScrubReport, ScrubStore } from './scrubbing/index.ts'

/** What `/status` of a content service says beyond what every node says. Bytes, and times in ms since 1970. */
export type ContentStatus = FollowingStatus & {
  /** Registered peers with an open libp2p connection. */
  readonly connectedPeers: number
  readonly capacityBytes: number
  readonly freeBytes: number
  /** Published tracks that are this node's duty: those that it holds, and those that it still has to bring. */
  readonly duty: number
  readonly held: number
  readonly missing: number
  /** Deleted or replaced, or extra and about to go; kept for a while yet. */
  readonly releasing: number
  /** Held or about to go though placement asks others for it: until these have proved that they hold it. */
  readonly extra: number
  /** Copies that a track has in this network now, and why these are fewer than it should have. */
  readonly replication: Replication
  /** Other operators with capacity, and how many of them have answered lately. */
  readonly peers: { readonly known: number; readonly answering: number }
  /** Offers that are being pulled, those held until they are published, and their bytes. */
  readonly leases: { readonly pulling: number; readonly held: number; readonly bytes: number }
  /** The last look at every stored block, or the one under way. */
  readonly lastScrub: ScrubReport | null
}

export type StatusParts = {
  version: string
  operator: Address
  hotKey: Address
  publicUrl: string
  capacityBytes: number
  catalogue: Catalogue
  ipfs: ConnectedIpfs
  takedowns: Pick<Takedowns, 'counts'>
  till: Pick<NodeTill, 'status'> | undefined
  holdings: HoldingStore
  offers: OfferStore
  room: Room
  scrubs: ScrubStore
  reconciler: Pick<Reconciler, 'counts'>
}

export async function contentStatus(parts: StatusParts): Promise<ContentStatus> {
  const { ipfs, holdings, offers } = parts
  const [status, freeBytes] = await Promise.all([
    nodeStatus({ ...parts, service: 'content-service' }),
    parts.room.freeBytes(),
  ])
  const held = holdings.count('held')
  const missing = holdings.count('missing')
  return {
    ...status,
    connectedPeers: ipfs.connectedPeers().length,
    capacityBytes: parts.capacityBytes,
    freeBytes: Math.max(0, freeBytes),
    duty: held + missing,
    held,
    missing,
    releasing: holdings.count('releasing'),
    extra: holdings.countExtra(),
    replication: replicationNow(parts.catalogue),
    peers: parts.reconciler.counts(),
    leases: {
      pulling: offers.count('pulling'),
      held: offers.count('held'),
      bytes: offers.leasedBytes(),
    },
    lastScrub: parts.scrubs.last(),
  }
}
