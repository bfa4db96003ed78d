import { Problem, parse } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import { hashSchema } from '@hexachord/protocol/names'
import { type HeldRelease, holdRequestSchema, type List } from '@hexachord/protocol/rest'
import type { Identify } from '@hexachord/storage/peers'
import { Router } from 'express'
import type { HeldAction } from './held-actions.ts'
import { giveBack, type HoldOptions, holdAction } from './hold-action.ts'

/**
 * Signed actions that nobody sees before their time: `POST /releases` gives one, `GET /releases` and `GET /releases/:hash`
 * tell their account how they stand, and `DELETE /releases/:hash` takes one back that was not sent. For any other account
 * there is none; what an action says is told to nobody.
 */
export function releaseRoutes(options: HoldOptions & { identify: Identify; onHeld: () => void }): Router {
  const { held, identify } = options
  const router = Router()

  router.post('/releases', async (request, response) => {
    const account = identify(request)
    const kept = await holdAction(parse(holdRequestSchema, request.body), account, options)
    options.onHeld()
    response.status(202).location(`/releases/${kept.hash}`).json(answerOf(kept))
  })

  router.get('/releases', (request, response) => {
    const items = held.of(identify(request)).map(answerOf)
    response.set(ofOneAccount).json({ items, next: null } satisfies List<HeldRelease>)
  })

  router.get('/releases/:hash', (request, response) => {
    const kept = own(request.params.hash, identify(request))
    response.set(ofOneAccount).json(answerOf(kept))
  })

  router.delete('/releases/:hash', (request, response) => {
    const kept = own(request.params.hash, identify(request))
    if (kept.state === 'sent') {
      throw new Problem({
        status: 409,
        slug: 'already-sent',
        detail: 'it is on its way to the chain, or there: unpublish the track instead',
      })
    }
    options.database.transaction(() => {
      held.remove(kept.hash)
      if (kept.state !== 'refused') giveBack(kept, options)
    })
    response.status(204).end()
  })

  /** @throws Problem 404 for one of somebody else, too */
  function own(name: unknown, account: Address): HeldAction {
    const hash = parse(hashSchema, name)
    const kept = held.get(hash)
    if (kept?.account === account) return kept
    throw new Problem({
      status: 404,
      slug: 'unknown-release',
      detail: `${account} has no release ${hash} at this node`,
    })
  }

  return router
}

const ofOneAccount = { 'Cache-Control': 'no-store', Vary: 'Authorization' }

function answerOf({ account: _, action: __, ...release }: HeldAction): HeldRelease {
  return release
}
