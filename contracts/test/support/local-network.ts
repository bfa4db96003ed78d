import type { HardhatEthersSigner } from '@nomicfoundation/hardhat-ethers/types'
import { Contract } from 'ethers'
import { network } from 'hardhat'
import { deployNetwork } from '../../deployment/index.ts'
import {
  catalogAbi,
  hexTokenAbi,
  localDollarAbi,
  operatorRegistryAbi,
  stakeVaultAbi,
  streamEscrowAbi,
  trackRegistryAbi,
} from '../../generated/index.ts'
import type { NetworkFile } from '../../networks/index.ts'

/** The chain in this process that all TypeScript tests share; each test starts from a snapshot. */
export const chain = await network.create()

export const minimumStakeWei = 100n * 10n ** 18n
export const unbondingSeconds = 14 * 24 * 3600
export const releaseSeconds = 24 * 3600

export interface LocalNetwork {
  file: NetworkFile
  catalog: Contract
  registry: Contract
  vault: Contract
  token: Contract
  escrow: Contract
  tracks: Contract
  dollar: Contract
  /** Has the whole supply of the token. */
  deployer: HardhatEthersSigner
  alice: HardhatEthersSigner
  bob: HardhatEthersSigner
}

/** Deploys just as any network is deployed. For `loadFixture`. */
export async function localNetwork(): Promise<LocalNetwork> {
  const [deployer, alice, bob] = await chain.ethers.getSigners()
  if (deployer === undefined || alice === undefined || bob === undefined) throw new Error('too few accounts')
  const file = await deployNetwork({
    signer: deployer,
    name: 'in-process',
    minimumStakeWei,
    unbondingSeconds,
    finalityBlocks: 2,
    epochBlocks: 10,
    bytesPerToken: 10n ** 9n,
    payments: { releaseSeconds },
    signal: AbortSignal.timeout(20_000),
  })
  if (file.payments === undefined) throw new Error('the network was deployed without payments')
  return {
    file,
    escrow: new Contract(file.payments.streamEscrow, streamEscrowAbi, deployer),
    tracks: new Contract(file.payments.trackRegistry, trackRegistryAbi, deployer),
    dollar: new Contract(file.payments.token, localDollarAbi, deployer),
    catalog: new Contract(file.contracts.catalog, catalogAbi, deployer),
    registry: new Contract(file.contracts.operatorRegistry, operatorRegistryAbi, deployer),
    vault: new Contract(file.contracts.stakeVault, stakeVaultAbi, deployer),
    token: new Contract(file.contracts.token, hexTokenAbi, deployer),
    deployer,
    alice,
    bob,
  }
}

/** Calls a contract's function as one account: a transaction, or the answer of a view. */
export function as(account: HardhatEthersSigner, contract: Contract) {
  return (name: string, ...args: unknown[]) => contract.connect(account).getFunction(name)(...args)
}
