import { Problem } from '@hexachord/platform/http'
import { type SessionReport, sentReserveSchema } from '@hexachord/protocol/payments'
import { Router } from 'express'
import type { Session } from '../book/index.ts'
import type { ReserveRelay } from '../chain/index.ts'
import type { PaymentsView } from '../payments-view.ts'
import { notWritable } from '../problems.ts'
import { bodyOf, readText, sendReport, unknownSession } from './messages.ts'

/** `POST /pay/reserves`: takes a signed reserve to the chain. What it answers is on the disk. */
export function reserveRoutes(options: {
  session: (token: string) => Session | undefined
  reportOf: (session: Session) => SessionReport
  view: Pick<PaymentsView, 'termsOf'>
  relay: Pick<ReserveRelay, 'take'>
}): Router {
  const router = Router()
  router.post('/pay/reserves', readText, async (request, response) => {
    const { session: token, ...reserve } = bodyOf(request, sentReserveSchema)
    const session = options.session(token)
    if (session === undefined) throw unknownSession()
    const { payer, track, channel } = session
    if (reserve.payer !== payer) {
      const detail = `the session is of ${payer}, the reserve of ${reserve.payer}`
      throw new Problem({ status: 422, slug: 'reserve-refused', title: 'Reserve refused', detail })
    }
    const { unitPrice = 0n, nodeBps = 0 } = options.view.termsOf(track) ?? {}
    try {
      await options.relay.take(reserve, { key: channel.key, unitPrice, nodeBps })
    } catch (error) {
      throw notWritable(error)
    }
    sendReport(response, 202, options.reportOf(session))
  })
  return router
}
