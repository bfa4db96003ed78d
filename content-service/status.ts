import type { Address } from '@hexachord/protocol/names'
import type { NodeStatus } from '@hexachord/protocol/rest'
import type { Catalogue } from '@hexachord/storage/catalogue'
import type { EmbeddedIpfs } from '@hexachord/storage/ipfs'
import type { HoldingStore } from './duty/index.ts'
import type { OfferStore, Room } from './offers/index.ts'
import type { ScrubReport, ScrubStore } from './scrubbing/index.ts'

/** What `/status` of a content service says beyond what every node says. Bytes, and times in ms since 1970. */
export type ContentStatus = NodeStatus & {
  readonly endpoint: string
  /** Whether the registry has this operator as active, with this hot key. */
  readonly registered: boolean
  readonly indexed: number
  readonly finalized: number
  /** Registered peers with an open libp2p connection. */
  readonly connectedPeers: number
  readonly stateHash: string
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
  const { operator, hotKey, catalogue, ipfs, holdings, offers } = parts
  const [usage, freeBytes] = await Promise.all([ipfs.usage(), parts.room.freeBytes()])
  const registered = catalogue.operators().get(operator)
  const held = holdings.count('held')
  const missing = holdings.count('missing')
  return {
    service: 'content-service',
    version: parts.version,
    operator,
    hotKey,
    endpoint: parts.publicUrl,
    registered: registered?.active === true && registered.hotKey === hotKey,
    chainId: catalogue.rules.domain.chainId,
    head: catalogue.head(),
    indexed: catalogue.indexed(),
    finalized: catalogue.finalized(),
    connectedPeers: ipfs.connectedPeers().length,
    stateHash: catalogue.stateHash(),
    ipfs: { peerId: ipfs.peerId, addresses: ipfs.addresses(), ...usage },
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
