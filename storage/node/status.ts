import type { Address } from '@hexachord/protocol/names'
import type { NodeStatus } from '@hexachord/protocol/rest'
import type { Catalogue } from '../catalogue/index.ts'
import type { IpfsNode } from '../ipfs/index.ts'

/** What `/status` of every node says of where it stands on the chain. */
export type FollowingStatus = NodeStatus & {
  readonly endpoint: string
  /** Whether the registry has this operator as active, with this hot key. Else others refuse its signatures. */
  readonly registered: boolean
  readonly indexed: number
  readonly finalized: number
  readonly stateHash: string
}

export async function nodeStatus(parts: {
  service: NodeStatus['service']
  version: string
  operator: Address
  hotKey: Address
  publicUrl: string
  catalogue: Catalogue
  ipfs: IpfsNode
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
    ipfs: { peerId: ipfs.peerId, addresses: ipfs.addresses(), ...(await ipfs.usage()) },
  }
}
