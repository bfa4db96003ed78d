import { streamEscrowAbi, trackRegistryAbi } from '@hexachord/contracts/generated'
import type { ChainLog } from '@hexachord/platform/chain'
import { type Address, type Subject, subjectFromBytes32 } from '@hexachord/protocol/names'
import { type Line, type Terms, unpackLines } from '@hexachord/protocol/payments'
import { getBytes, Interface, type InterfaceAbi, type LogDescription, type Result } from 'ethers'

type Place = { readonly block: number; readonly logIndex: number }

/** What TrackRegistry and StreamEscrow say of tracks and of what they earn. Amounts in base units of the token. */
export type PaymentEvent = Place &
  (
    | { readonly type: 'owned'; readonly track: Subject; readonly owner: Address }
    | {
        readonly type: 'termsSet'
        readonly track: Subject
        readonly version: number
        /** Unix seconds. */
        readonly effectiveAt: number
        readonly terms: Terms
      }
    | { readonly type: 'termsCancelled'; readonly track: Subject; readonly version: number }
    /** By a voucher that was redeemed, or at once. */
    | { readonly type: 'paid'; readonly node: Address; readonly lines: readonly PaidLine[] }
    | {
        readonly type: 'distributed'
        readonly track: Subject
        readonly version: number
        readonly amount: bigint
      }
    /** Follows the distribution that it is a part of. */
    | { readonly type: 'credited'; readonly track: Subject; readonly payee: Address; readonly amount: bigint }
  )

export type PaidLine = Omit<Line, 'track'> & { readonly track: Subject }

const registry = new Interface(trackRegistryAbi as InterfaceAbi)
const escrow = new Interface(streamEscrowAbi as InterfaceAbi)

/** Where the two contracts are, in lower case. */
export type PaymentContracts = { readonly escrow: string; readonly registry: string }

/** @returns undefined for a log that says nothing of tracks and their income, such as of a deposit */
export function decodePaymentLog(log: ChainLog, contracts: PaymentContracts): PaymentEvent | undefined {
  const place = { block: log.blockNumber, logIndex: log.logIndex }
  const abi = log.address === contracts.registry ? registry : escrow
  const event = abi.parseLog(log)
  return event === null ? undefined : eventOf(event, place)
}

function eventOf({ name, args }: LogDescription, place: Place): PaymentEvent | undefined {
  switch (name) {
    case 'TrackRegistered':
      return { ...place, type: 'owned', track: trackIn(args), owner: lower(args.owner) }
    case 'TrackTransferred':
      return { ...place, type: 'owned', track: trackIn(args), owner: lower(args.to) }
    case 'TermsSet': {
      const { version, effectiveAt, terms } = args
      return {
        ...{ ...place, type: 'termsSet', track: trackIn(args) },
        ...{ version: Number(version), effectiveAt: Number(effectiveAt), terms: termsIn(terms) },
      }
    }
    case 'TermsCancelled':
      return { ...place, type: 'termsCancelled', track: trackIn(args), version: Number(args.version) }
    case 'Redeemed': {
      const lines = unpackLines(getBytes(args.lines)).map(({ track, ...line }) => ({
        ...line,
        track: subjectFromBytes32(track),
      }))
      return { ...place, type: 'paid', node: lower(args.node), lines }
    }
    case 'TrackPaid': {
      const line = { track: trackIn(args), curator: lower(args.curator), amount: BigInt(args.amount) }
      return { ...place, type: 'paid', node: lower(args.node), lines: [line] }
    }
    case 'Distributed': {
      const { version, amount } = args
      return { ...place, type: 'distributed', track: trackIn(args), version: Number(version), amount }
    }
    case 'PayeeCredited':
      return {
        ...place,
        type: 'credited',
        track: trackIn(args),
        payee: lower(args.payee),
        amount: args.amount,
      }
    default:
      return undefined
  }
}

function termsIn(terms: Result): Terms {
  return {
    unitPrice: BigInt(terms.unitPrice),
    nodeBps: Number(terms.nodeBps),
    curatorBps: Number(terms.curatorBps),
    payees: [...(terms.payees as string[])].map(lower),
    payeeBps: [...(terms.payeeBps as bigint[])].map(Number),
  }
}

function trackIn({ track }: Result): Subject {
  return subjectFromBytes32(String(track))
}

function lower(address: string): Address {
  return address.toLowerCase() as Address
}
