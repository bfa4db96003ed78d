import type { Sender } from '@hexachord/platform/chain'
import { Problem, parse } from '@hexachord/platform/http'
import { signedActionSchema } from '@hexachord/protocol/actions'
import { hashSchema } from '@hexachord/protocol/names'
import type { Identify } from '@hexachord/storage/peers'
import { Router } from 'express'
import { actionStatus } from './action-status.ts'
import { type RelayOptions, relayAction } from './relay-action.ts'

/** `POST /actions` takes a signed action to the chain; `GET /actions/:hash` says what became of it. */
export function actionRoutes(options: RelayOptions & { identify: Identify; sender: Sender }): Router {
  const router = Router()
  router.post('/actions', async (request, response) => {
    const account = options.identify(request)
    const signed = parse(signedActionSchema, request.body)
    const hash = await relayAction(signed, account, options)
    response.status(202).location(`/actions/${hash}`).json({ hash })
  })
  router.get('/actions/:hash', (request, response) => {
    const hash = parse(hashSchema, request.params.hash)
    const status = actionStatus(hash, options)
    if (status === undefined) {
      throw new Problem({
        status: 404,
        slug: 'unknown-action',
        detail: `this node has neither relayed nor seen action ${hash}`,
      })
    }
    response.set('Cache-Control', 'no-store').json(status)
  })
  return router
}
