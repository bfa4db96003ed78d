import type { InterfaceAbi, Provider, Signer } from 'ethers'
import {
  catalogAbi,
  catalogBytecode,
  hexTokenAbi,
  hexTokenBytecode,
  localDollarAbi,
  localDollarBytecode,
  operatorRegistryAbi,
  operatorRegistryBytecode,
  stakeVaultAbi,
  stakeVaultBytecode,
  streamEscrowAbi,
  streamEscrowBytecode,
  trackPurchasesAbi,
  trackPurchasesBytecode,
  trackRegistryAbi,
  trackRegistryBytecode,
} from '../generated/index.ts'
import { type NetworkFile, parseNetworkFile } from '../networks/index.ts'
import { abortable } from './abortable.ts'
import { type DeployedContract, DeploymentError, deployContract } from './deploy-contract.ts'

export interface DeployNetworkOptions {
  /** Pays for deployment and receives the whole supply of the token; has a provider. */
  signer: Signer
  /** The network's name: a-z, 0-9 and -. */
  name: string
  /** Stake by its controller that makes an operator active, in base units of the token; above zero. */
  minimumStakeWei: bigint
  /** How long stake stays after it stopped counting, in seconds; at most a year. */
  unbondingSeconds: number
  /** After how many more blocks a block is final. */
  finalityBlocks: number
  /** Blocks in an epoch of placement. */
  epochBlocks: number
  /** Weight in placement, in bytes, that one whole staked token can back. */
  bytesPerToken: bigint
  /**
   * How listeners pay.
   * @default not at all: all music of the network is free
   */
  payments?: PaymentsOptions
  /**
   * How long one transaction may wait for its block.
   * @default 120_000
   */
  timeoutMs?: number
  signal: AbortSignal
}

export interface PaymentsOptions {
  /** How long a listener waits for what it takes back from a node, in seconds: a minute to a week. */
  releaseSeconds: number
  /**
   * The token that is paid with.
   * @default a LocalDollar, which is worth nothing
   */
  token?: string
}

/**
 * Puts a new network onto the signer's chain: token, vault, registry, catalogue, one after the other, and what payments
 * need.
 * Returns the network's file; writing it is the caller's business (`writeNetworkFile`). What was deployed before a
 * failure stays on the chain unused, and a second call starts anew.
 * @throws DeploymentError, or the signal's reason
 */
export async function deployNetwork(options: DeployNetworkOptions): Promise<NetworkFile> {
  const { signer, signal, timeoutMs = 120_000 } = options
  if (!Number.isSafeInteger(options.unbondingSeconds) || options.unbondingSeconds < 0) {
    throw new DeploymentError('unbondingSeconds must be a whole number of seconds, zero or more')
  }
  const provider = signer.provider
  if (provider === null)
    throw new DeploymentError('the signer has no provider; connect it to the chain first')

  const agreement = {
    name: options.name,
    chainId: await chainIdOf(provider, signal, timeoutMs),
    finalityBlocks: options.finalityBlocks,
    epochBlocks: options.epochBlocks,
    bytesPerToken: options.bytesPerToken.toString(),
    minimumStakeWei: options.minimumStakeWei.toString(),
  }
  // Checked with stand-ins before anything is paid for.
  parseNetworkFile(
    networkFileOf(agreement, { token: unborn, vault: unborn, registry: unborn, catalog: unborn }),
    'the new network',
  )

  const deploy = (name: string, abi: InterfaceAbi, bytecode: string, ...args: unknown[]) =>
    deployContract({ name, abi, bytecode, args, signer, timeoutMs, signal })
  const token = await deploy('HexToken', hexTokenAbi, hexTokenBytecode)
  const vault = await deploy(
    'StakeVault',
    stakeVaultAbi,
    stakeVaultBytecode,
    token.address,
    options.unbondingSeconds,
  )
  const registry = await deploy(
    'OperatorRegistry',
    operatorRegistryAbi,
    operatorRegistryBytecode,
    vault.address,
    options.minimumStakeWei,
  )
  const catalog = await deploy('Catalog', catalogAbi, catalogBytecode)
  const file = networkFileOf(agreement, { token, vault, registry, catalog })
  const { payments } = options
  if (payments === undefined) return file

  const paidWith =
    payments.token ?? (await deploy('LocalDollar', localDollarAbi, localDollarBytecode)).address
  const tracks = await deploy('TrackRegistry', trackRegistryAbi, trackRegistryBytecode)
  const escrow = await deploy(
    'StreamEscrow',
    streamEscrowAbi,
    streamEscrowBytecode,
    ...[paidWith, tracks.address, registry.address, payments.releaseSeconds],
  )
  const purchases = await deploy('TrackPurchases', trackPurchasesAbi, trackPurchasesBytecode, escrow.address)
  return {
    ...file,
    payments: {
      streamEscrow: escrow.address,
      trackRegistry: tracks.address,
      trackPurchases: purchases.address,
      token: paidWith,
    },
  }
}

async function chainIdOf(provider: Provider, signal: AbortSignal, timeoutMs: number): Promise<number> {
  try {
    const either = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const network = await abortable(provider.getNetwork(), either)
    return Number(network.chainId)
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new DeploymentError(`the chain does not say which it is: ${reason}`, { cause })
  }
}

const unborn: DeployedContract = { address: '0x0000000000000000000000000000000000000000', blockNumber: 0 }

function networkFileOf(
  agreement: Omit<NetworkFile, 'firstBlock' | 'contracts'>,
  deployed: Record<'token' | 'vault' | 'registry' | 'catalog', DeployedContract>,
): NetworkFile {
  const { name, chainId, ...rules } = agreement
  return {
    name,
    chainId,
    firstBlock: deployed.token.blockNumber,
    ...rules,
    contracts: {
      catalog: deployed.catalog.address,
      operatorRegistry: deployed.registry.address,
      stakeVault: deployed.vault.address,
      token: deployed.token.address,
    },
  }
}
