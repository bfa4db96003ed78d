import type { ChannelTotals } from '../payments-view.ts'
import type { NodeTerms, PaymentEvent } from './payment-logs.ts'

/** Terms of a track: those in force, and a change that waits until `effectiveAt` (unix seconds). */
export type TrackTerms = {
  readonly inForce: NodeTerms
  readonly change: (NodeTerms & { readonly effectiveAt: number }) | null
}

export type ChannelEvent = Extract<PaymentEvent, { payer: unknown }>
export type TermsEvent = Exclude<PaymentEvent, ChannelEvent>

export const emptyChannel: ChannelTotals = { reserved: 0n, released: 0n, releasing: 0n, settled: 0n }

/** A channel after an event, as StreamEscrow has it. */
export function channelAfter(before: ChannelTotals, event: ChannelEvent): ChannelTotals {
  switch (event.type) {
    case 'reserved':
      return { ...before, reserved: event.total }
    case 'releaseInitiated':
      return { ...before, releasing: event.amount }
    case 'released':
      return { ...before, released: before.released + event.amount, releasing: 0n }
    case 'redeemed':
      return { ...before, settled: event.cumulative }
  }
}

/** Terms after an event in a block of time `at` (unix seconds), as TrackRegistry has them. */
export function termsAfter(before: TrackTerms | undefined, event: TermsEvent, at: number): TrackTerms {
  const inForce = before === undefined ? undefined : termsAt(before, at)
  if (event.type === 'termsSet') {
    const { terms, effectiveAt } = event
    if (inForce === undefined) return { inForce: terms, change: null }
    return { inForce, change: { ...terms, effectiveAt } }
  }
  if (inForce === undefined)
    throw new RangeError(`a change of ${event.track}, which has no terms, is cancelled`)
  return { inForce, change: null }
}

/** The terms in force at a time in unix seconds. */
export function termsAt({ inForce, change }: TrackTerms, at: number): NodeTerms {
  if (change === null || at < change.effectiveAt) return inForce
  const { effectiveAt: _, ...terms } = change
  return terms
}
