import type { Source } from '@hexachord/protocol/retrieval'
import type { IpfsNode } from '../ipfs/index.ts'

/** The gateway of another node, as a source of blocks.
 * @param origin its registered endpoint
 * @param tier lower ones are asked first */
export function gatewaySource(origin: string, tier = 0): Source {
  return { id: origin, tier, url: (cid) => new URL(`/ipfs/${cid}?format=raw`, origin).href }
}

/** Bitswap with registered peers, as a source of blocks.
 * @param peers libp2p peer ids to ask; all that are connected when empty */
export function bitswapSource(ipfs: Pick<IpfsNode, 'fetch'>, peers: readonly string[], tier = 0): Source {
  return { id: 'bitswap', tier, get: (cid, signal) => ipfs.fetch(cid, { signal, peers }) }
}
