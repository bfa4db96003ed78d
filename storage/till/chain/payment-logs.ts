import { streamEscrowAbi, trackRegistryAbi } from '@hexachord/contracts/generated'
import type { ChainLog } from '@hexachord/platform/chain'
import type { Address, Hash } from '@hexachord/protocol/names'
import { Interface, zeroPadValue } from 'ethers'

export const escrowInterface = new Interface(streamEscrowAbi)
export const tracksInterface = new Interface(trackRegistryAbi)

type Party = { readonly payer: Address; readonly key: Address }
/** Terms as far as a node needs them: who shares the rest is between the contract and the payees. */
export type NodeTerms = {
  readonly version: number
  readonly unitPrice: bigint
  readonly nodeBps: number
  readonly curatorBps: number
}

/** What the contracts say about channels with this operator, and about terms. Amounts in base units. */
export type PaymentEvent =
  | (Party & { readonly type: 'reserved'; readonly total: bigint })
  | (Party & { readonly type: 'releaseInitiated'; readonly amount: bigint })
  | (Party & { readonly type: 'released'; readonly amount: bigint })
  | (Party & { readonly type: 'redeemed'; readonly cumulative: bigint })
  /** `effectiveAt` in unix seconds. */
  | {
      readonly type: 'termsSet'
      readonly track: Hash
      readonly effectiveAt: number
      readonly terms: NodeTerms
    }
  | { readonly type: 'termsCancelled'; readonly track: Hash; readonly version: number }

/** Topics of all that the escrow says about channels with a node: in each the node stands in the same place. */
export function channelTopics(node: Address): (string | null)[] {
  return [null, null, null, zeroPadValue(node, 32)]
}

/** @returns undefined for a log that changes neither a channel nor terms: who owns a track is not a till's business, and
 * a transfer that drops a change of terms says so in a log of its own */
export function decodePaymentLog({ topics, data }: ChainLog): PaymentEvent | undefined {
  const fromTracks = tracksInterface.parseLog({ topics, data })
  if (fromTracks !== null) return termsEvent(fromTracks)
  const log = escrowInterface.parseLog({ topics, data })
  if (log === null) return undefined
  const party = { payer: lower(log.args.payer), key: lower(log.args.key) }
  switch (log.name) {
    case 'Reserved':
      return { ...party, type: 'reserved', total: BigInt(log.args.total) }
    case 'ReleaseInitiated':
      return { ...party, type: 'releaseInitiated', amount: BigInt(log.args.amount) }
    case 'Released':
      return { ...party, type: 'released', amount: BigInt(log.args.amount) }
    case 'Redeemed':
      return { ...party, type: 'redeemed', cumulative: BigInt(log.args.cumulative) }
    default:
      return undefined
  }
}

function termsEvent({
  name,
  args,
}: NonNullable<ReturnType<Interface['parseLog']>>): PaymentEvent | undefined {
  const track = args.track as Hash
  if (name === 'TermsCancelled') return { type: 'termsCancelled', track, version: Number(args.version) }
  if (name !== 'TermsSet') return undefined
  const { unitPrice, nodeBps, curatorBps } = args.terms
  return {
    ...{ type: 'termsSet', track, effectiveAt: Number(args.effectiveAt) },
    terms: {
      version: Number(args.version),
      unitPrice: BigInt(unitPrice),
      nodeBps: Number(nodeBps),
      curatorBps: Number(curatorBps),
    },
  }
}

function lower(address: unknown): Address {
  return String(address).toLowerCase() as Address
}
