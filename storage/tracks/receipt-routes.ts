import { Problem } from '@hexachord/platform/http'
import { isCid } from '@hexachord/protocol/cids'
import type { Receipt } from '@hexachord/protocol/receipts'
import type { List } from '@hexachord/protocol/rest'
import { Router } from 'express'

/** `/manifests/:cid/receipts`: the receipts that this node has for a manifest, as one list. */
export function receiptRoutes(options: {
  receiptsOf: (manifest: string) => readonly Receipt[] | Promise<readonly Receipt[]>
}): Router {
  const router = Router()
  router.get('/manifests/:cid/receipts', async (request, response) => {
    const { cid } = request.params
    if (!isCid(cid)) {
      throw new Problem({ status: 400, slug: 'malformed-cid', detail: `${cid} is not a CID of this network` })
    }
    const list: List<Receipt> = { items: await options.receiptsOf(cid), next: null }
    response.set('Cache-Control', 'no-cache').json(list)
  })
  return router
}
