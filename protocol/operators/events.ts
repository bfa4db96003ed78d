import { Interface } from 'ethers'
import type { Address } from '../names/index.ts'

/** A log as the chain gives it. */
export type ChainLog = {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
  readonly blockNumber: number
  readonly blockHash: string
  readonly logIndex: number
}

type Place = { readonly block: number; readonly logIndex: number }

/** What OperatorRegistry and StakeVault say about operators. Amounts in wei of the stake token. */
export type OperatorEvent = Place &
  (
    | {
        readonly type: 'registered'
        readonly operator: Address
        readonly controller: Address
        readonly endpoint: string
        readonly peerId: `0x${string}`
        readonly hotKey: Address
        readonly capacityBytes: bigint
      }
    | {
        readonly type: 'updated'
        readonly operator: Address
        readonly endpoint: string
        readonly peerId: `0x${string}`
        readonly hotKey: Address
        readonly capacityBytes: bigint
      }
    | { readonly type: 'exitRequested' | 'exitCancelled'; readonly operator: Address }
    | {
        readonly type: 'bonded'
        readonly operator: Address
        readonly staker: Address
        readonly totalWei: bigint
      }
  )

/** Held against the compiled ABIs by a test of the contracts. */
export const operatorEventFragments = [
  'event OperatorRegistered(address indexed operator, address indexed controller, string endpoint, bytes peerId, address hotKey, uint64 capacityBytes)',
  'event OperatorUpdated(address indexed operator, string endpoint, bytes peerId, address hotKey, uint64 capacityBytes)',
  'event OperatorExitRequested(address indexed operator)',
  'event OperatorExitCancelled(address indexed operator)',
  'event Staked(address indexed operator, address indexed staker, uint256 amount, uint256 total)',
  'event Unbonding(address indexed operator, address indexed staker, uint256 indexed id, uint256 amount, uint256 total, uint64 readyAt)',
] as const

const events = new Interface(operatorEventFragments)

/** @returns undefined for a log that says nothing about who may hold what (such as a withdrawal) */
export function decodeOperatorLog(log: ChainLog): OperatorEvent | undefined {
  const parsed = events.parseLog({ topics: [...log.topics], data: log.data })
  if (parsed === null) return undefined
  const { args, name } = parsed
  const place = { block: log.blockNumber, logIndex: log.logIndex }
  const operator = lower(args.operator)
  switch (name) {
    case 'OperatorRegistered':
      return {
        ...place,
        type: 'registered',
        operator,
        controller: lower(args.controller),
        ...description(args),
      }
    case 'OperatorUpdated':
      return { ...place, type: 'updated', operator, ...description(args) }
    case 'OperatorExitRequested':
      return { ...place, type: 'exitRequested', operator }
    case 'OperatorExitCancelled':
      return { ...place, type: 'exitCancelled', operator }
    default:
      return { ...place, type: 'bonded', operator, staker: lower(args.staker), totalWei: BigInt(args.total) }
  }
}

function description(args: Record<string, unknown>) {
  return {
    endpoint: String(args.endpoint),
    peerId: String(args.peerId) as `0x${string}`,
    hotKey: lower(args.hotKey),
    capacityBytes: BigInt(String(args.capacityBytes)),
  }
}

function lower(value: unknown): Address {
  return String(value).toLowerCase() as Address
}
