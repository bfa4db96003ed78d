import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { operatorRegistryAbi } from '@hexachord/contracts/generated'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { layOut } from '@hexachord/scripts/local-network'
import { Contract, JsonRpcProvider, parseEther, Wallet } from 'ethers'
import type { FaultNetwork } from './fault-network.ts'

/** Tells the registry, with the operator's own key, that its node is somewhere else now. */
export async function moveOperator(network: FaultNetwork, name: string, endpoint: string): Promise<void> {
  const { chainId, contracts } = await readNetworkFile(network.networkFile)
  const provider = new JsonRpcProvider(network.urls.chain, chainId, { staticNetwork: true, cacheTimeout: -1 })
  provider.pollingInterval = 50
  try {
    const key = await readFile(layOut(network.directory).keyFile(name, 'cold'), 'utf8')
    const operator = new Wallet(key.trim(), provider)
    await network.chain.fund(operator.address, parseEther('1'))
    const registry = new Contract(contracts.operatorRegistry, operatorRegistryAbi, operator)
    const { peerId, hotKey, capacityBytes } = await registry
      .getFunction('operator')
      .staticCall(operator.address)
    const sent = await registry.getFunction('update').send(endpoint, peerId, hotKey, capacityBytes)
    // The `wait` of ethers would leave questions under way, which reject when the provider is destroyed.
    while ((await provider.getTransactionReceipt(sent.hash)) === null) await wait(50)
  } finally {
    provider.destroy()
  }
}
