import type { Address } from '@hexachord/protocol/names'
import {
  GrantError,
  maximumGrantMs,
  type Offer,
  OfferError,
  usualGrantMs,
  verifyGrant,
  verifyOffer,
} from '@hexachord/protocol/offers'
import type { Operator } from '@hexachord/protocol/operators'
import type { Domain } from '@hexachord/protocol/signing'

/** Why an offer is not taken. `status` and `slug` go into the problem details of the answer. */
export type Refusal = {
  readonly status: 403 | 409 | 413 | 429 | 507
  readonly slug: string
  readonly detail: string
  readonly retryAfterSeconds?: number
}

/** What an offer is judged by; as of one moment. */
export type OfferFacts = {
  /** ms since 1970. */
  readonly now: number
  readonly domain: Domain
  /** This node's operator. */
  readonly self: Address
  /** The active operator whose hot key signed the request. */
  readonly asking: Operator
  /** Operators whose receipts would count for the subject. */
  readonly accepted: readonly Operator[]
  /** Who controls the subject's author. */
  readonly controller: Address
  /** Whether the subject was deleted. */
  readonly deleted: boolean
  /** Why this operator does not hold the subject, if it refuses to. */
  readonly takenDown: string | undefined
  /** Bonded by all active operators. */
  readonly totalStakeWei: bigint
  readonly capacityBytes: number
  /** What unpublished tracks of the asking operator take up or may yet take up here. */
  readonly leasedBytes: number
  /** The part of it whose leases last longer than usual: see `isLong`. */
  readonly longLeasedBytes: number
  /** What this node can still promise to anybody. */
  readonly freeBytes: number
  /** Offers that are being pulled now. */
  readonly pulling: number
}

/**
 * Share of what an asking operator may have here that leases of tracks which wait for their release can take up. Keys
 * cost nothing, so that somebody could fill a creator node's part for a month rather than a week: this much stays for
 * tracks that are published as soon as they can be.
 */
const longShare = 0.5

/** Pulls at one time; each holds a long poll and up to eight requests. */
export const maximumPulls = 64

const shareRetrySeconds = 600
const busyRetrySeconds = 15

/**
 * Whether this node takes an offer: it must be meant for it, come from the operator that signs, with the author's
 * consent to just that, for a track that placement gives this node, and within what the asking operator's stake and
 * this node's disk allow.
 * @returns undefined when it is taken
 */
export function judgeOffer(offer: Offer, facts: OfferFacts): Refusal | undefined {
  return judgeSignatures(offer, facts) ?? judgePlacement(offer, facts) ?? judgeRoom(offer, facts)
}

/** Whether an unpublished track is to be kept for longer than usual, since it waits for its release. */
export function isLong({ expiresAt }: Pick<Offer, 'expiresAt'>, now: number): boolean {
  return expiresAt > now + usualGrantMs
}

/** Unpublished bytes that an operator may have here at one time: its share of the stake, of this node's capacity. So
 * free keys buy nothing, and nobody can fill a disk against whose loss he has not staked. That holds however long a
 * lease lasts; a long one keeps others who ask through the same operator out for longer, see `longShare`.
 * @returns bytes */
export function leaseShare(
  asking: Pick<Operator, 'stakeWei'>,
  { totalStakeWei, capacityBytes }: Pick<OfferFacts, 'totalStakeWei' | 'capacityBytes'>,
): number {
  if (totalStakeWei === 0n) return 0
  return Number((BigInt(capacityBytes) * asking.stakeWei) / totalStakeWei)
}

function judgeSignatures(offer: Offer, facts: OfferFacts): Refusal | undefined {
  const { asking, domain, self, now } = facts
  if (offer.operator !== asking.operator) {
    return forbidden('other-operator', `the offer is by ${offer.operator}, the request by ${asking.operator}`)
  }
  if (offer.expiresAt > now + maximumGrantMs) {
    return forbidden(
      'offer-too-long',
      `an offer ends after ${maximumGrantMs / 86_400_000} days at the latest`,
    )
  }
  try {
    const signer = verifyOffer(offer, { domain, to: self, now })
    if (signer !== asking.hotKey) {
      return forbidden('invalid-offer', `the offer was not signed by ${asking.operator}'s hot key`)
    }
    const audience = originOf(asking.endpoint)
    if (audience === undefined || originOf(offer.source) !== audience) {
      return forbidden(
        'foreign-source',
        `${offer.source} is not under ${asking.operator}'s registered endpoint`,
      )
    }
    const author = verifyGrant(offer.grant, { domain, audience, now })
    if (author !== facts.controller) {
      return forbidden(
        'not-the-author',
        `the grant was signed by ${author}, who does not control ${offer.subject}`,
      )
    }
  } catch (error) {
    if (error instanceof OfferError) return forbidden('invalid-offer', error.message)
    if (error instanceof GrantError) return forbidden('invalid-grant', error.message)
    throw error
  }
  return undefined
}

function judgePlacement(
  offer: Offer,
  { accepted, self, deleted, takenDown }: OfferFacts,
): Refusal | undefined {
  if (deleted) {
    return { status: 409, slug: 'deleted', detail: `${offer.subject} was deleted: take a new number` }
  }
  if (takenDown !== undefined) {
    return forbidden('taken-down', `this operator does not hold ${offer.subject}: ${takenDown}`)
  }
  if (!accepted.some(({ operator }) => operator === self)) {
    const ranked = accepted.map(({ operator }) => operator).join(', ') || 'nobody'
    const detail = `${self} is not among the operators for ${offer.subject}; these are ${ranked}`
    return { status: 409, slug: 'not-ranked', detail }
  }
  return undefined
}

function judgeRoom(offer: Offer, facts: OfferFacts): Refusal | undefined {
  const { asking } = facts
  const { byteLimit } = offer
  const share = leaseShare(asking, facts)
  const ofLong = Math.floor(share * longShare)
  const most = isLong(offer, facts.now) ? ofLong : share
  if (byteLimit > most) {
    const detail = `${byteLimit} bytes are more than the ${most} that ${asking.operator}'s stake allows here`
    return { status: 413, slug: 'over-share', detail }
  }
  if (facts.leasedBytes + byteLimit > share) {
    const detail = `${asking.operator} has ${facts.leasedBytes} unpublished bytes here already, of ${share}`
    return { status: 429, slug: 'share-used', detail, retryAfterSeconds: shareRetrySeconds }
  }
  if (isLong(offer, facts.now) && facts.longLeasedBytes + byteLimit > ofLong) {
    const detail = `${asking.operator} has ${facts.longLeasedBytes} bytes here already that wait for their release, of ${ofLong}`
    return { status: 429, slug: 'long-share-used', detail, retryAfterSeconds: shareRetrySeconds }
  }
  if (byteLimit > facts.freeBytes) {
    const detail = `${byteLimit} bytes are more than the ${Math.max(0, facts.freeBytes)} that are free here`
    return { status: 507, slug: 'no-room', detail }
  }
  if (facts.pulling >= maximumPulls) {
    const detail = `${facts.pulling} tracks are being pulled; try again soon`
    return { status: 429, slug: 'busy', detail, retryAfterSeconds: busyRetrySeconds }
  }
  return undefined
}

function forbidden(slug: string, detail: string): Refusal {
  return { status: 403, slug, detail }
}

function originOf(url: string): string | undefined {
  return URL.parse(url)?.origin
}
