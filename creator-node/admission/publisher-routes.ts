import { Problem, parse } from '@hexachord/platform/http'
import { inviteRedemptionSchema } from '@hexachord/protocol/rest'
import type { Identify } from '@hexachord/storage/peers'
import { Router } from 'express'
import type { Invites, Redemption } from './invites.ts'
import type { PublisherGate } from './publishers.ts'

const refusals: Readonly<Record<Exclude<Redemption, 'redeemed'>, string>> = {
  unknown: 'this node has made no such invite: check that it is complete, and meant for this node',
  expired: "the invite has expired: ask the node's operator for a new one",
  used: "the invite serves another account already: ask the node's operator for one of your own",
}

/** `POST /publishers`: whoever gives an invite may publish here from then on. Giving it again does no harm. */
export function publisherRoutes({
  identify,
  invites,
  gate,
}: {
  identify: Identify
  invites: Pick<Invites, 'redeem'>
  gate: PublisherGate
}): Router {
  const router = Router()
  router.post('/publishers', (request, response) => {
    const account = identify(request)
    const { invite } = parse(inviteRedemptionSchema, request.body)
    if (!gate.mayPublish(account)) {
      if (gate.policy !== 'invite') throw gate.refusal(account)
      const redemption = invites.redeem(invite, account)
      if (redemption !== 'redeemed') {
        throw new Problem({ status: 403, slug: `invite-${redemption}`, detail: refusals[redemption] })
      }
    }
    response.json({ account, mayPublish: true })
  })
  return router
}
