import { JsonRpcProvider, toQuantity } from 'ethers'
import { blockNumber, callRpc, localChainId } from './engines/index.ts'

/** The local chain as tests and the start command use it. */
export type LocalChain = {
  readonly rpcUrl: string
  readonly chainId: number
  /** Mines blocks at once, with what waits in the first of them. */
  mine(blocks?: number): Promise<void>
  /** The number of the newest block. */
  head(): Promise<number>
  /** Sets an account's ether. */
  fund(address: string, balanceWei: bigint): Promise<void>
}

export function openLocalChain(rpcUrl: string): LocalChain {
  return {
    rpcUrl,
    chainId: localChainId,
    async mine(blocks = 1) {
      await callRpc(rpcUrl, 'anvil_mine', [toQuantity(blocks)])
    },
    head: () => blockNumber(rpcUrl),
    async fund(address, balanceWei) {
      await callRpc(rpcUrl, 'anvil_setBalance', [address, toQuantity(balanceWei)])
    },
  }
}

/** A provider for a chain that mines in an instant. The caller destroys it. */
export function quickProvider(rpcUrl: string): JsonRpcProvider {
  const provider = new JsonRpcProvider(rpcUrl, localChainId, { staticNetwork: true, cacheTimeout: -1 })
  // ethers asks for receipts every four seconds otherwise.
  provider.pollingInterval = 50
  return provider
}
