import type { Address } from '@hexachord/protocol/names'
import type { NodeStatus } from '@hexachord/protocol/rest'
import type { Catalogue } from '../catalogue/index.ts'
import type { IpfsNode } from '../ipfs/index.ts'
import type { TakedownCounts, Takedowns } from '../takedowns/index.ts'
import type { NodeTill, TillStatus } from '../till/index.ts'

/** What `/status` of every node says of where it stands on the chain. */
export type FollowingStatus = NodeStatus & {
  readonly endpoint: string
  /** Whether the registry has this operator as active, with this hot key. Else others refuse its signatures. */
  readonly registered: boolean
  readonly indexed: number
  readonly finalized: number
  readonly stateHash: string
  /** What this operator refuses to hold and serve. */
  readonly takedowns: TakedownCounts
  /** Null where the network has no payments. */
  readonly till: TillStatus | null
}

export async function nodeStatus(parts: {
  service: NodeStatus['service']
  version: string
  operator: Address
  hotKey: Address
  publicUrl: string
  catalogue: Catalogue
  ipfs: IpfsNode
  takedowns: Pick<Takedowns, 'counts'>
  till: Pick<NodeTill, 'status'> | undefined
}): Promise<FollowingStatus> {
  const { operator, hotKey, catalogue, ipfs } = parts
  const registered = catalogue.operators().get(operator)
  return {
    service: parts.service,
    version: parts.version,
    operator,
    hotKey,
    endpoint: parts.publicUrl,
    registered: registered?.active === true && registered.hotKey === hotKey,
    chainId: catalogue.rules.domain.chainId,
    head: catalogue.head(),
    indexed: catalogue.indexed(),
    finalized: catalogue.finalized(),
    stateHash: catalogue.stateHash(),
    takedowns: parts.takedowns.counts(),
    till: parts.till?.status() ?? null,
    ipfs: { peerId: ipfs.peerId, addresses: ipfs.addresses(), ...(await ipfs.usage()) },
  }
}
