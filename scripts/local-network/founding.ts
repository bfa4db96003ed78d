import { parseEther } from 'ethers'
import { type LocalChain, quickProvider } from './chain.ts'
import { establishContracts, localRules } from './contracts.ts'
import { readOrMakeKey } from './keys.ts'
import type { Layout } from './layout.ts'
import { establishOperators, fundFees, type OperatorPlan } from './operators.ts'
import { readOrMakePeerId } from './peer-identity.ts'
import type { Ports } from './ports.ts'
import { contentName, creatorName, localCapacityBytes, originOf } from './services.ts'

/** An operator of the network and its node. */
export type LocalOperator = {
  /** The name of its process. */
  name: string
  /** Its cold address, by which the registry knows it. */
  address: string
  /** The address by whose key its node signs. */
  hotKey: string
  endpoint: string
  /** `12D3KooW…` */
  peerId: string
}

const relayerFeesWei = parseEther('1000')

/**
 * Brings contracts, keys, stakes and registrations to where the network needs them, and the chain to an epoch
 * in which placement knows every operator. Whatever is so already stays. Needs a chain that mines.
 */
export async function foundNetwork(context: {
  layout: Layout
  ports: Ports
  chain: LocalChain
  signal: AbortSignal
}): Promise<LocalOperator[]> {
  const { layout, ports, chain, signal } = context
  const provider = quickProvider(chain.rpcUrl)
  try {
    const treasury = await provider.getSigner()
    const network = await establishContracts({ networkFile: layout.networkFile, provider, treasury, signal })
    const relayer = await readOrMakeKey(layout.keyFile(creatorName, 'relayer'))
    await fundFees(relayer.address, relayerFeesWei, treasury)

    const nodes = [
      { name: creatorName, port: ports.creator, capacityBytes: 0n },
      ...ports.content.map((port, index) => ({
        name: contentName(index),
        port,
        capacityBytes: BigInt(localCapacityBytes),
      })),
    ]
    const planned = await Promise.all(nodes.map((node) => planOperator(layout, node)))
    const plans = planned.map(({ plan }) => plan)
    const changed = await establishOperators({ network, plans, treasury, provider, signal })
    if (changed) await mineUntilEffective(chain)
    return planned.map(({ operator }) => operator)
  } finally {
    provider.destroy()
  }
}

async function planOperator(
  layout: Layout,
  node: { name: string; port: number; capacityBytes: bigint },
): Promise<{ plan: OperatorPlan; operator: LocalOperator }> {
  const { name, port, capacityBytes } = node
  const coldKey = await readOrMakeKey(layout.keyFile(name, 'cold'))
  const hotKey = (await readOrMakeKey(layout.keyFile(name, 'hot'))).address
  const peerId = await readOrMakePeerId(layout.dataDirectory(name))
  const endpoint = originOf(port)
  return {
    plan: { name, coldKey, hotKey, endpoint, peerId: peerId.hex, capacityBytes },
    operator: { name, address: coldKey.address, hotKey, endpoint, peerId: peerId.text },
  }
}

/** Placement takes the operators at the first block of an epoch, once that block is final. */
async function mineUntilEffective(chain: LocalChain): Promise<void> {
  const head = await chain.head()
  const { epochBlocks, finalityBlocks } = localRules
  const nextEpoch = Math.ceil((head + 1) / epochBlocks) * epochBlocks
  await chain.mine(nextEpoch + finalityBlocks - head)
}
