import type { Address } from '@hexachord/protocol/names'
import { type TillOffer, tillJson } from '@hexachord/protocol/payments'
import { type Domain, type Signer, signMessage } from '@hexachord/protocol/signing'
import { Router } from 'express'

export type OfferSource = {
  /** The offer as it stands: signed anew well before it ends. */
  current(): Promise<TillOffer>
}

const offerLifeMs = 6 * 3_600_000
/** What is left of an offer that is still given: whoever caches it has an hour. */
const leastLeftMs = 2 * 3_600_000
const cacheSeconds = 3_600

/** What this node asks of those who pay, signed by its hot key. */
export function createOfferSource(options: {
  hotKey: Signer
  /** The escrow's. */
  domain: Domain
  operator: Address
  /** Origin at which the operator is registered. */
  endpoint: string
  leastNodeBps: number
  previewUnits: number
  /** Unix time in ms. */
  now: () => number
}): OfferSource {
  const { hotKey, domain, now } = options
  const { operator, endpoint, leastNodeBps, previewUnits } = options
  let offer: Promise<TillOffer> | undefined
  let until = 0

  async function sign(expiresAt: number): Promise<TillOffer> {
    const message = { operator, endpoint, leastNodeBps, previewUnits, expiresAt }
    const signature = await signMessage(hotKey, domain, 'TillOffer', message)
    return { ...message, escrow: domain.verifyingContract, chainId: domain.chainId, signature }
  }

  return {
    current() {
      if (offer === undefined || now() > until) {
        until = now() + offerLifeMs - leastLeftMs
        offer = sign(now() + offerLifeMs)
      }
      return offer
    },
  }
}

/** `GET /pay/offer`. */
export function offerRoutes(offers: OfferSource): Router {
  const router = Router()
  router.get('/pay/offer', async (_request, response) => {
    response
      .set('Cache-Control', `public, max-age=${cacheSeconds}`)
      .type('application/json')
      .send(tillJson(await offers.current()))
  })
  return router
}
