import type { IncomingMessage } from 'node:http'
import { Problem } from '@hexachord/platform/http'
import type { Subject } from '@hexachord/protocol/names'
import { Router } from 'express'
import { paymentHeader } from '../payment-headers.ts'
import { type Purchases, PurchaseUnderWay } from './create-purchases.ts'
import { type ExactRequirements, PurchaseRefused } from './exact-payment.ts'

/**
 * `GET /audio/:manifest` of a track that costs something: 402 with what all of it costs, as x402 asks for it (version 2,
 * `specs/transports-v2/http.md`), and the file against a payment. What is not sold whole goes on to the next handler.
 * @param options.soldAs which track a manifest is sold as, and how many units it has; undefined if it is free
 * @param options.isAdmitted whether a request needs no payment, such as of another node
 * @param options.audio serves the file; asked for what was paid alone
 * @param options.publicUrl origin of this node as others see it
 */
export function purchaseRoutes(options: {
  purchases: Purchases
  soldAs: (manifest: string) => Promise<{ subject: Subject; units: number } | undefined>
  isAdmitted: (request: IncomingMessage) => boolean | Promise<boolean>
  audio: Router
  publicUrl: string
}): Router {
  const { purchases, soldAs, isAdmitted, audio, publicUrl } = options
  const router = Router()
  router.get('/audio/:manifest', async (request, response, next) => {
    const sold = await soldAs(request.params.manifest)
    if (sold === undefined || (await isAdmitted(request))) return next()
    const wanted = await purchases.requirements(sold.subject, sold.units)
    if (wanted === undefined) return next()
    const header = request.get('payment-signature')
    const url = publicUrl + request.path
    if (header === undefined) {
      await purchases.requireWanted(sold.subject, wanted)
      throw required(url, wanted, 'this track costs something')
    }
    try {
      const { payer, transaction, amount } = await purchases.buy(sold.subject, wanted, header)
      const paid = { success: true, payer, transaction, network: wanted.network, amount: String(amount) }
      response.set({ 'PAYMENT-RESPONSE': paymentHeader(paid), 'Cache-Control': 'private, no-store' })
    } catch (error) {
      if (error instanceof PurchaseRefused) throw refused(url, wanted, error)
      throw error instanceof PurchaseUnderWay ? underWay(error) : error
    }
    audio(request, response, next)
  })
  return router
}

function required(url: string, wanted: ExactRequirements, error: string, also: Record<string, string> = {}) {
  const resource = { url, description: 'a track as one file', mimeType: 'audio/mp4' }
  const asked = { x402Version: 2, error, resource, accepts: [wanted], extensions: {} }
  return new Problem({
    status: 402,
    slug: 'payment-required',
    title: 'Payment required',
    detail: error,
    members: { amount: wanted.amount, token: wanted.asset },
    headers: { 'PAYMENT-REQUIRED': paymentHeader(asked), ...also },
  })
}

function refused(
  url: string,
  wanted: ExactRequirements,
  { reason, payer, message }: PurchaseRefused,
): Problem {
  const answer = { success: false, errorReason: reason, payer, transaction: '', network: wanted.network }
  return required(url, wanted, `the payment is refused: ${message}`, {
    'PAYMENT-RESPONSE': paymentHeader(answer),
  })
}

function underWay({ message }: PurchaseUnderWay): Problem {
  return new Problem({
    status: 503,
    slug: 'purchase-under-way',
    title: 'Purchase under way',
    detail: message,
    headers: { 'Retry-After': '5' },
  })
}
