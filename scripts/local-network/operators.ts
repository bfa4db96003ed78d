import { hexTokenAbi, operatorRegistryAbi, stakeVaultAbi } from '@hexachord/contracts/generated'
import type { NetworkFile } from '@hexachord/contracts/networks'
import { Contract, type Provider, parseEther, type Signer, type Wallet } from 'ethers'
import { mined } from './mined.ts'

/** An operator as it should stand on the chain. */
export type OperatorPlan = {
  /** Names its keys and its service: `content-service-1`. */
  name: string
  /** Registers and stakes; it is its own controller. */
  coldKey: Wallet
  hotKey: string
  endpoint: string
  /** The multihash of its libp2p peer id, `0x…`. */
  peerId: string
  /** Zero for a node that only publishes. */
  capacityBytes: bigint
}

const feesWei = parseEther('10')
const hotKeyFeesWei = parseEther('1')
/** Backs far more bytes than any local disk has, so that placement follows capacity. */
export const stakePerOperatorWei = parseEther('1000')

/**
 * Registers, stakes and updates until the chain says of each operator what its plan says. Does nothing for
 * what is so already, so that it continues where an interrupted start stopped. True when it changed anything.
 *
 * @param treasury has ether for fees and tokens for stakes
 */
export async function establishOperators(options: {
  network: NetworkFile
  plans: OperatorPlan[]
  treasury: Signer
  provider: Provider
  signal: AbortSignal
}): Promise<boolean> {
  const { network, plans, treasury, provider, signal } = options
  // The treasury's transactions go one after the other, since their nonces follow each other.
  for (const plan of plans) await fund(plan, network, treasury, signal)
  const changes = await Promise.all(plans.map((plan) => establish(plan, network, provider, signal)))
  return changes.includes(true)
}

/** Asks for the exit of an operator, which is its own controller. */
export async function requestExit(options: {
  network: NetworkFile
  operator: Wallet
  signal: AbortSignal
}): Promise<void> {
  options.signal.throwIfAborted()
  const { operatorRegistry } = options.network.contracts
  await send(new Contract(operatorRegistry, operatorRegistryAbi, options.operator), 'requestExit')
}

/** Gives ether for fees to an account that has little. */
export async function fundFees(address: string, amountWei: bigint, treasury: Signer): Promise<void> {
  const balance = (await treasury.provider?.getBalance(address)) ?? 0n
  if (balance >= amountWei / 2n) return
  await mined(await treasury.sendTransaction({ to: address, value: amountWei }))
}

async function fund(
  plan: OperatorPlan,
  network: NetworkFile,
  treasury: Signer,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const address = plan.coldKey.address
  await fundFees(address, feesWei, treasury)
  // It redeems what listeners owe.
  if (network.payments !== undefined) await fundFees(plan.hotKey, hotKeyFeesWei, treasury)
  const missing = stakePerOperatorWei - (await stakeOf(plan, network, treasury))
  if (missing <= 0n) return
  const token = new Contract(network.contracts.token, hexTokenAbi, treasury)
  const held: bigint = await token.getFunction('balanceOf').staticCall(address)
  if (held < missing) await send(token, 'transfer', address, missing - held)
}

async function establish(
  plan: OperatorPlan,
  network: NetworkFile,
  provider: Provider,
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted()
  const signer = plan.coldKey.connect(provider)
  const address = plan.coldKey.address
  const registry = new Contract(network.contracts.operatorRegistry, operatorRegistryAbi, signer)
  const stated = [plan.endpoint, plan.peerId, plan.hotKey, plan.capacityBytes] as const
  const known = await registry.getFunction('operator').staticCall(address)
  let changed = false
  if (BigInt(known.controller) === 0n) {
    await send(registry, 'register', address, ...stated)
    changed = true
  } else if (!isSame(stated, [known.endpoint, known.peerId, known.hotKey, known.capacityBytes])) {
    await send(registry, 'update', ...stated)
    changed = true
  }

  const missing = stakePerOperatorWei - (await stakeOf(plan, network, signer))
  if (missing > 0n) {
    signal.throwIfAborted()
    await send(
      new Contract(network.contracts.token, hexTokenAbi, signer),
      'approve',
      network.contracts.stakeVault,
      missing,
    )
    await send(new Contract(network.contracts.stakeVault, stakeVaultAbi, signer), 'stake', address, missing)
    changed = true
  }
  return changed
}

function isSame(stated: readonly unknown[], known: readonly unknown[]): boolean {
  return stated.every((value, index) => String(value).toLowerCase() === String(known[index]).toLowerCase())
}

async function stakeOf(plan: OperatorPlan, network: NetworkFile, runner: Signer): Promise<bigint> {
  const vault = new Contract(network.contracts.stakeVault, stakeVaultAbi, runner)
  return vault.getFunction('stakeOf').staticCall(plan.coldKey.address, plan.coldKey.address)
}

async function send(contract: Contract, method: string, ...args: unknown[]): Promise<void> {
  await mined(await contract.getFunction(method).send(...args))
}
