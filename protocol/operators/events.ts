import { AbiCoder, getBytes, Interface } from 'ethers'
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

// A string and bytes look alike on the chain, and the contract cannot tell text from other bytes: read as
// bytes, so that nobody stops an indexer with an endpoint that is not UTF-8.
const description = ['bytes', 'bytes', 'address', 'uint64'] as const
const described = ['OperatorRegistered', 'OperatorUpdated']

/** @returns undefined for a log that says nothing about who may hold what (such as a withdrawal) */
export function decodeOperatorLog(log: ChainLog): OperatorEvent | undefined {
  const event = events.getEvent(log.topics[0] ?? '')
  if (event === null) return undefined
  const place = { block: log.blockNumber, logIndex: log.logIndex }
  const operator = addressIn(log.topics[1])
  if (described.includes(event.name)) {
    const fields = readDescription(log.data)
    return event.name === 'OperatorRegistered'
      ? { ...place, type: 'registered', operator, controller: addressIn(log.topics[2]), ...fields }
      : { ...place, type: 'updated', operator, ...fields }
  }
  if (event.name === 'OperatorExitRequested') return { ...place, type: 'exitRequested', operator }
  if (event.name === 'OperatorExitCancelled') return { ...place, type: 'exitCancelled', operator }
  const { total } = events.decodeEventLog(event, log.data, log.topics)
  return { ...place, type: 'bonded', operator, staker: addressIn(log.topics[2]), totalWei: BigInt(total) }
}

function readDescription(data: string) {
  const [endpoint, peerId, hotKey, capacityBytes] = AbiCoder.defaultAbiCoder().decode(description, data)
  return {
    endpoint: readText(getBytes(endpoint)),
    peerId: String(peerId) as `0x${string}`,
    hotKey: String(hotKey).toLowerCase() as Address,
    capacityBytes: BigInt(capacityBytes),
  }
}

/** What is no text becomes U+FFFD; so do control characters, which databases refuse. */
function readText(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  return Array.from(text, (character) => (character < ' ' ? '\ufffd' : character)).join('')
}

function addressIn(topic: string | undefined): Address {
  return `0x${(topic ?? '').slice(-40).toLowerCase()}`
}
