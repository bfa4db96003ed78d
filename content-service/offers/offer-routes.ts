import { Problem, parse } from '@hexachord/platform/http'
import { isDatabaseFull } from '@hexachord/platform/sqlite'
import { type Address, authorOf, type Hash, hashSchema } from '@hexachord/protocol/names'
import { type Offer, type OfferState, offerSchema, usualGrantMs } from '@hexachord/protocol/offers'
import type { Operator, OperatorSet } from '@hexachord/protocol/operators'
import type { Receipt } from '@hexachord/protocol/receipts'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { operatorOf, requireOperator } from '@hexachord/storage/peers'
import { explain, type Takedowns } from '@hexachord/storage/takedowns'
import { type RequestHandler, Router } from 'express'
import * as z from 'zod'
import { judgeOffer, type OfferFacts, type Refusal } from './judge-offer.ts'
import type { OfferChanges } from './offer-changes.ts'
import { offerId } from './offer-id.ts'
import type { Lease, OfferStore } from './offer-store.ts'
import type { Room } from './room.ts'

/** Longest wait of a long poll: below the idle time-out of common proxies. */
const maximumWaitMs = 30_000
/** A node that is further behind does not know the operators and authors of today. */
const tolerableLagBlocks = 20

const diskFull: Refusal = {
  status: 507,
  slug: 'disk-full',
  detail: "this node's disk is full: offer the track to another operator, or try again later",
  retryAfterSeconds: 300,
}

const waitSchema = z.object({
  wait: z.coerce.number('must be a number of ms').int().min(0).default(0),
})

export type OfferRoutesOptions = {
  catalogue: Catalogue
  offers: OfferStore
  changes: OfferChanges
  room: Room
  takedowns: Pick<Takedowns, 'trackDenied'>
  /** This node's operator, and the address of the key with which it signs. */
  self: Address
  hotKey: Address
  /** Origin of this node. */
  audience: string
  capacityBytes: number
  receiptOf: (lease: Lease) => Receipt | undefined
  /** Called with the slug of each refusal. */
  onRefused: (reason: string) => void
  /** Called once for each offer that was taken. */
  onTaken: (lease: Lease) => void
  /** Ends long polls. */
  signal: AbortSignal
  /** ms since 1970. */
  now: () => number
}

/** `POST /offers` answers 202 `{"offer": id}` for an offer that is taken, now or before, and a problem that says why
 * for one that is not. `GET /offers/:id?wait=MS` tells how it stands; with `wait`, once it is no longer being pulled
 * or the time is over. */
export function offerRoutes(options: OfferRoutesOptions): Router {
  const { catalogue, offers, changes, now, signal } = options
  const { domain } = catalogue.rules
  const router = Router()

  router.post(
    '/offers',
    whenCurrent(catalogue),
    requireOperator({ domain, audience: options.audience, catalogue, now }),
    async (request, response) => {
      const offer = parse(offerSchema, request.body)
      const id = offerId(domain, offer)
      if (offers.get(id) === undefined) {
        const asking = operatorOf(response)
        const refusal = judgeOffer(offer, factsOf(offer, asking, await options.room.freeBytes(), options))
        if (refusal !== undefined) {
          options.onRefused(refusal.slug)
          throw problemOf(refusal)
        }
        if (addOffer(id, offer)) {
          const lease = offers.get(id)
          if (lease !== undefined) options.onTaken(lease)
        }
      }
      response.status(202).json({ offer: id })
    },
  )

  /** @throws Problem 507 when the disk has no room even for the record of the offer */
  function addOffer(id: Hash, offer: Offer): boolean {
    try {
      return offers.add(id, offer, options.now())
    } catch (error) {
      if (!isDatabaseFull(error)) throw error
      options.onRefused(diskFull.slug)
      throw problemOf(diskFull)
    }
  }

  router.get('/offers/:id', async (request, response) => {
    const id = parse(hashSchema, request.params.id)
    const { wait } = parse(waitSchema, request.query)
    const until = now() + Math.min(wait, maximumWaitMs)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const ending = AbortSignal.any([signal, gone.signal])
    for (;;) {
      const lease = offers.get(id)
      if (lease === undefined) {
        throw new Problem({
          status: 404,
          slug: 'unknown-offer',
          detail: `this node has taken no offer ${id}`,
        })
      }
      const left = until - now()
      if (lease.state !== 'pulling' || left <= 0 || ending.aborted) {
        response.set('Cache-Control', 'no-store').json(stateOf(lease, options.receiptOf(lease)))
        return
      }
      await changes.next(id, left, ending)
    }
  })

  return router
}

/** What is asked of the registry and the catalogue must not be answered from a time long past. */
function whenCurrent(catalogue: Pick<Catalogue, 'behind'>): RequestHandler {
  return (_request, _response, next) => {
    const behind = catalogue.behind()
    if (behind > tolerableLagBlocks) {
      const blocks = Number.isFinite(behind) ? `${behind} blocks` : 'an unknown number of blocks'
      throw new Problem({
        status: 503,
        slug: 'catching-up',
        detail: `this node is ${blocks} behind the chain; try again soon`,
        headers: { 'Retry-After': '5' },
      })
    }
    next()
  }
}

function factsOf(
  offer: Offer,
  asking: Operator,
  freeBytes: number,
  { catalogue, offers, takedowns, self, hotKey, capacityBytes, now }: OfferRoutesOptions,
): OfferFacts {
  const operators = catalogue.operators()
  if (operators.get(self)?.hotKey !== hotKey) {
    throw new Problem({
      status: 503,
      slug: 'not-registered',
      detail: `${self} is not registered with the key that this node signs with: its receipts would not count`,
    })
  }
  const takedown = takedowns.trackDenied(offer.subject)
  return {
    now: now(),
    domain: catalogue.rules.domain,
    self,
    asking,
    accepted: catalogue.accepted(offer.subject).operators,
    controller: catalogue.identity(authorOf(offer.subject), now()).controller,
    deleted: catalogue.subject(offer.subject)?.deleted ?? false,
    takenDown: takedown && explain(takedown),
    totalStakeWei: activeStake(operators),
    capacityBytes,
    leasedBytes: offers.leasedBytes(asking.operator),
    longLeasedBytes: offers.leasedBytesBeyond(now() + usualGrantMs, asking.operator),
    freeBytes,
    pulling: offers.count('pulling'),
  }
}

function activeStake(operators: OperatorSet): bigint {
  let total = 0n
  for (const { active, stakeWei } of operators.values()) if (active) total += stakeWei
  return total
}

function problemOf({ retryAfterSeconds, ...refusal }: Refusal): Problem {
  return new Problem({
    ...refusal,
    ...(retryAfterSeconds === undefined ? {} : { headers: { 'Retry-After': String(retryAfterSeconds) } }),
  })
}

function stateOf(lease: Lease, receipt: Receipt | undefined): OfferState {
  return {
    offer: lease.id,
    subject: lease.subject,
    state: lease.state === 'published' ? 'held' : lease.state,
    blocks: lease.storedBlocks,
    byteLength: lease.storedBytes,
    ...(lease.reason === null ? {} : { reason: lease.reason }),
    ...(receipt === undefined ? {} : { receipt }),
  }
}
