import { existsSync } from 'node:fs'
import { deployNetwork } from '@hexachord/contracts/deployment'
import { type NetworkFile, readNetworkFile, writeNetworkFile } from '@hexachord/contracts/networks'
import { rulesVersion } from '@hexachord/protocol/actions'
import { type JsonRpcProvider, parseEther, type Signer } from 'ethers'

/** The chain and the network file do not belong together. */
export class ChainMismatchError extends Error {
  override name = 'ChainMismatchError'
}

/** Short, so that a newcomer sees epochs pass. */
export const localRules = {
  finalityBlocks: 2,
  epochBlocks: 16,
  minimumStakeWei: parseEther('100'),
  unbondingSeconds: 3_600,
  bytesPerToken: 10n ** 9n,
  payments: { releaseSeconds: 60 },
}

/**
 * The network of `networkFile`: deployed on first use, and after that checked to be on this chain.
 * Throws ChainMismatchError, which says what to do, when the chain has lost its contracts.
 */
export async function establishContracts(options: {
  networkFile: string
  /** Of a network that is yet to be made. @default that of the local rules */
  finalityBlocks?: number | undefined
  provider: JsonRpcProvider
  treasury: Signer
  signal: AbortSignal
}): Promise<NetworkFile> {
  const { networkFile, finalityBlocks = localRules.finalityBlocks, provider, treasury, signal } = options
  if (!existsSync(networkFile)) {
    const deployed = await deployNetwork({
      ...{ signer: treasury, name: 'local', ...localRules, finalityBlocks, signal },
    })
    // What these rules have judged stays so when later ones are installed.
    const rulesVersions = [{ fromBlock: deployed.firstBlock, version: rulesVersion }]
    const network = { ...deployed, rulesVersions }
    await writeNetworkFile(networkFile, network)
    return network
  }
  const network = await readNetworkFile(networkFile)
  for (const [name, address] of Object.entries({ ...network.contracts, ...network.payments })) {
    if ((await provider.getCode(address)) !== '0x') continue
    throw new ChainMismatchError(
      `The chain has no contract ${name} at ${address}, which ${networkFile} names: the state of the chain was lost. Start anew with --reset.`,
    )
  }
  return network
}
