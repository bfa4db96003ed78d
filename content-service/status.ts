import type { Address } from '@hexachord/protocol/names'
import type { Catalogue } from '@hexachord/storage/catalogue'
import type { EmbeddedIpfs } from '@hexachord/storage/ipfs'
import { type FollowingStatus, nodeStatus } from '@hexachord/storage/node'
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
  /** Deleted or replaced, kept for a while yet. */
  readonly releasing: number
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
  ipfs: EmbeddedIpfs
  holdings: HoldingStore
  offers: OfferStore
  room: Room
  scrubs: ScrubStore
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
    leases: {
      pulling: offers.count('pulling'),
      held: offers.count('held'),
      bytes: offers.leasedBytes(),
    },
    lastScrub: parts.scrubs.last(),
  }
}
