import { Problem } from '@hexachord/platform/http'
import { isCid } from '@hexachord/protocol/cids'
import type { Receipt } from '@hexachord/protocol/receipts'
import type { List } from '@hexachord/protocol/rest'
import { Router } from 'express'
import type { Takedowns } from '../takedowns/index.ts'
import type { Replication } from './replication.ts'

/** `/manifests/:cid/receipts`: the receipts that this node has for a manifest, as one list; beside them, where it is
 * known, how many copies a track has in this network, and why these are fewer than they should be. */
export function receiptRoutes(options: {
  receiptsOf: (manifest: string) => readonly Receipt[] | Promise<readonly Receipt[]>
  replication?: () => Replication
  /** What this operator refuses. @default nothing */
  takedowns?: Pick<Takedowns, 'requireServed'>
}): Router {
  const router = Router()
  router.get('/manifests/:cid/receipts', async (request, response) => {
    const { cid } = request.params
    if (!isCid(cid)) {
      throw new Problem({ status: 400, slug: 'malformed-cid', detail: `${cid} is not a CID of this network` })
    }
    options.takedowns?.requireServed(cid)
    const list: List<Receipt> = { items: await options.receiptsOf(cid), next: null }
    const { replication } = options
    const members = replication === undefined ? {} : { replication: replication() }
    response.set('Cache-Control', 'no-cache').json({ ...list, ...members })
  })
  return router
}
