import { type NetworkFile, readNetworkFile } from '@hexachord/contracts/networks'
import { parseEther } from 'ethers'
import { type LocalChain, quickProvider } from './chain.ts'
import { establishContracts } from './contracts.ts'
import { type HostOf, originOf, thisMachine } from './host.ts'
import { readOrMakeKey } from './keys.ts'
import type { Layout } from './layout.ts'
import { establishOperators, fundFees, type OperatorPlan, requestExit } from './operators.ts'
import { readOrMakePeerId } from './peer-identity.ts'
import type { Ports } from './ports.ts'
import { contentName, creatorName, localCapacityBytes } from './services.ts'

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

/** Where a node that has an operator is to be reached. */
type NodePlace = { name: string; endpoint: string; capacityBytes: bigint }

type FoundingContext = { layout: Layout; chain: LocalChain; signal: AbortSignal }

/**
 * Brings contracts, keys, stakes and registrations to where the network needs them, and the chain to an epoch
 * in which placement knows every operator. Whatever is so already stays. Needs a chain that mines.
 */
export async function foundNetwork(
  context: FoundingContext & { ports: Ports; hostOf?: HostOf; finalityBlocks?: number | undefined },
): Promise<LocalOperator[]> {
  const { layout, ports, chain, signal, hostOf = () => thisMachine, finalityBlocks } = context
  const provider = quickProvider(chain.rpcUrl)
  try {
    const treasury = await provider.getSigner()
    await establishContracts({
      ...{ networkFile: layout.networkFile, finalityBlocks, provider, treasury, signal },
    })
  } finally {
    provider.destroy()
  }
  await fundRelayer(context, creatorName)
  const creator = { name: creatorName, endpoint: originOf(ports.creator, hostOf(creatorName)) }
  return establishNodes(context, [
    { ...creator, capacityBytes: 0n },
    ...ports.content.map((port, index) => contentPlace(index, port, hostOf)),
  ])
}

/** Makes the operator of one more content service as `foundNetwork` makes the others. Needs a chain that mines. */
export async function foundContentService(
  context: FoundingContext & { index: number; port: number; hostOf: HostOf },
): Promise<LocalOperator> {
  const [operator] = await establishNodes(context, [
    contentPlace(context.index, context.port, context.hostOf),
  ])
  if (operator === undefined) throw new Error('one node has one operator')
  return operator
}

/** Makes the operator of one more creator node. Needs a chain that mines. */
export async function foundCreatorNode(
  context: FoundingContext & { name: string; endpoint: string },
): Promise<LocalOperator> {
  const { name, endpoint } = context
  await fundRelayer(context, name)
  const [operator] = await establishNodes(context, [{ name, endpoint, capacityBytes: 0n }])
  if (operator === undefined) throw new Error('one node has one operator')
  return operator
}

/** Gives a creator node what it pays for actions with. */
async function fundRelayer({ layout, chain }: FoundingContext, name: string): Promise<void> {
  const provider = quickProvider(chain.rpcUrl)
  try {
    const relayer = await readOrMakeKey(layout.keyFile(name, 'relayer'))
    await fundFees(relayer.address, relayerFeesWei, await provider.getSigner())
  } finally {
    provider.destroy()
  }
}

function contentPlace(index: number, port: number, hostOf: HostOf): NodePlace {
  const name = contentName(index)
  return { name, endpoint: originOf(port, hostOf(name)), capacityBytes: BigInt(localCapacityBytes) }
}

async function establishNodes(context: FoundingContext, nodes: NodePlace[]): Promise<LocalOperator[]> {
  const { layout, chain, signal } = context
  const provider = quickProvider(chain.rpcUrl)
  try {
    const treasury = await provider.getSigner()
    const network = await readNetworkFile(layout.networkFile)
    const planned = await Promise.all(nodes.map((node) => planOperator(layout, node)))
    const plans = planned.map(({ plan }) => plan)
    const changed = await establishOperators({ network, plans, treasury, provider, signal })
    if (changed) await mineUntilEffective(chain, network)
    return planned.map(({ operator }) => operator)
  } finally {
    provider.destroy()
  }
}

async function planOperator(
  layout: Layout,
  { name, endpoint, capacityBytes }: NodePlace,
): Promise<{ plan: OperatorPlan; operator: LocalOperator }> {
  const coldKey = await readOrMakeKey(layout.keyFile(name, 'cold'))
  const hotKey = (await readOrMakeKey(layout.keyFile(name, 'hot'))).address
  const peerId = await readOrMakePeerId(layout.dataDirectory(name))
  return {
    plan: { name, coldKey, hotKey, endpoint, peerId: peerId.hex, capacityBytes },
    operator: { name, address: coldKey.address, hotKey, endpoint, peerId: peerId.text },
  }
}

/** Placement takes the operators at the first block of an epoch, once that block is final. */
async function mineUntilEffective(
  chain: LocalChain,
  { epochBlocks, finalityBlocks }: Pick<NetworkFile, 'epochBlocks' | 'finalityBlocks'>,
): Promise<void> {
  const head = await chain.head()
  const nextEpoch = Math.ceil((head + 1) / epochBlocks) * epochBlocks
  await chain.mine(nextEpoch + finalityBlocks - head)
}

/** Has an operator ask the registry for its exit: it is asked for no new copies, and its copies count no more. */
export async function leaveNetwork(context: FoundingContext & { name: string }): Promise<void> {
  const { layout, chain, signal, name } = context
  const provider = quickProvider(chain.rpcUrl)
  try {
    const network = await readNetworkFile(layout.networkFile)
    const coldKey = await readOrMakeKey(layout.keyFile(name, 'cold'))
    await requestExit({ network, operator: coldKey.connect(provider), signal })
    await mineUntilEffective(chain, network)
  } finally {
    provider.destroy()
  }
}
