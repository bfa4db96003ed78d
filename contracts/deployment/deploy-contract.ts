import { setTimeout as delay } from 'node:timers/promises'
import {
  ContractFactory,
  type InterfaceAbi,
  type Provider,
  type Signer,
  type TransactionReceipt,
} from 'ethers'
import { abortable } from './abortable.ts'

/** A contract could not be put onto the chain; the message says which and why. */
export class DeploymentError extends Error {
  override readonly name = 'DeploymentError'
}

export interface DeployContractOptions {
  /** For messages. */
  name: string
  abi: InterfaceAbi
  /** Creation code, hex. */
  bytecode: string
  args: readonly unknown[]
  /** Pays; has a provider. */
  signer: Signer
  /** How long one transaction may wait for its block. */
  timeoutMs: number
  signal: AbortSignal
}

export interface DeployedContract {
  /** EIP-55. */
  address: string
  blockNumber: number
}

// Local chains mine within a second and ethers' own wait polls every four, so the receipt is asked for directly.
const receiptPollMs = 200

/** Puts one contract onto the chain and waits for its block. @throws DeploymentError, or the signal's reason */
export async function deployContract(options: DeployContractOptions): Promise<DeployedContract> {
  const { name, abi, bytecode, args, signer, timeoutMs, signal } = options
  const provider = signer.provider
  if (provider === null) throw new DeploymentError(`${name} needs a signer with a provider`)

  const timeout = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, timeout])
  try {
    either.throwIfAborted()
    const factory = new ContractFactory(abi, bytecode, signer)
    const sent = await abortable(
      factory.getDeployTransaction(...args).then((request) => signer.sendTransaction(request)),
      either,
    )
    const receipt = await minedReceipt(provider, sent.hash, either)
    if (receipt.status !== 1 || receipt.contractAddress === null) {
      throw new DeploymentError(`${name} was reverted by the chain in transaction ${receipt.hash}`)
    }
    return { address: receipt.contractAddress, blockNumber: receipt.blockNumber }
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    if (cause instanceof DeploymentError) throw cause
    if (timeout.aborted) {
      throw new DeploymentError(`${name} was not in a block within ${timeoutMs} ms; is the chain mining?`, {
        cause,
      })
    }
    throw new DeploymentError(`${name} could not be deployed: ${messageOf(cause)}`, { cause })
  }
}

async function minedReceipt(
  provider: Provider,
  hash: string,
  signal: AbortSignal,
): Promise<TransactionReceipt> {
  for (;;) {
    const receipt = await abortable(provider.getTransactionReceipt(hash), signal)
    if (receipt !== null) return receipt
    await delay(receiptPollMs, undefined, { signal })
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
