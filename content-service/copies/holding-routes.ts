import { parse } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import {
  type HeldTrack,
  type HoldingAnswer,
  type HoldingBucket,
  holdingBuckets,
  holdingQuestionSchema,
  holdingsPerPage,
  lineOf,
} from '@hexachord/protocol/receipts'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { operatorOf, requireOperator } from '@hexachord/storage/peers'
import { Router } from 'express'
import * as z from 'zod'
import type { HoldingStore } from '../duty/index.ts'
import type { ReceiptStore } from '../receipts/index.ts'
import { limitPerOperator } from './allowance.ts'
import type { OwnListings } from './own-listing.ts'

/** Two looks at everything within a minute. */
const requestsPerMinute = 2 * (holdingBuckets + 1)

const bucketSchema = z.object({
  bucket: z.coerce
    .number('must be a number')
    .int()
    .min(0)
    .max(holdingBuckets - 1),
})
const pageSchema = z.object({ after: z.string().max(300).default('') })

/** `GET /holdings`, `GET /holdings/:bucket` and `POST /holdings` for other operators, also for those that are
 * leaving: what this node holds among the tracks that concern them. */
export function holdingRoutes(options: {
  catalogue: Pick<Catalogue, 'operatorByHotKey' | 'rules'>
  /** Origin of this node. */
  audience: string
  listings: OwnListings
  holdings: Pick<HoldingStore, 'get'>
  receipts: Pick<ReceiptStore, 'get'>
  /** Whether a track is on its way here at this moment. */
  isBringing: (track: HeldTrack) => boolean
  /** ms since 1970. */
  now: () => number
}): Router {
  const { catalogue, audience, listings, holdings, receipts, isBringing, now } = options
  const { domain } = catalogue.rules
  const router = Router()
  router.use(
    '/holdings',
    requireOperator({ domain, audience, catalogue, now, leaving: true }),
    limitPerOperator({ perMinute: requestsPerMinute, now }),
  )

  router.get('/holdings', async (_request, response) => {
    const { root, buckets } = await listings(askerOf(response))
    response.set('Cache-Control', 'no-store').json({ root, buckets })
  })

  router.get('/holdings/:bucket', async (request, response) => {
    const { bucket } = parse(bucketSchema, request.params)
    const { after } = parse(pageSchema, request.query)
    const items = (await listings(askerOf(response))).items[bucket] ?? []
    const start = items.findIndex((item) => lineOf(item) > after)
    const page = start === -1 ? [] : items.slice(start, start + holdingsPerPage)
    const last = page.at(-1)
    const more = last !== undefined && items.at(-1) !== last
    const answer: HoldingBucket = { items: page, next: more ? lineOf(last) : null }
    response.set('Cache-Control', 'no-store').json(answer)
  })

  router.post('/holdings', (request, response) => {
    const { tracks } = parse(holdingQuestionSchema, request.body)
    const answer: HoldingAnswer = { states: tracks.map(stateOf) }
    response.set('Cache-Control', 'no-store').json(answer)
  })

  function stateOf(track: HeldTrack): HoldingAnswer['states'][number] {
    if (isBringing(track)) return 'bringing'
    const holding = holdings.get(track.subject, track.manifest)
    const held = holding?.state === 'held' && receipts.get(track.subject, track.manifest) !== undefined
    return held ? 'held' : 'none'
  }

  return router
}

function askerOf(response: Parameters<typeof operatorOf>[0]): Address {
  return operatorOf(response).operator
}
