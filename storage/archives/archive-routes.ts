import { parse } from '@hexachord/platform/http'
import type { ArchiveEntry } from '@hexachord/protocol/archives'
import type { List } from '@hexachord/protocol/rest'
import { Router } from 'express'
import * as z from 'zod'
import type { ArchiveKeeper } from './keep-archives.ts'

const mostPerPage = 500

const querySchema = z.object({
  after: z.coerce.number().int().min(-1).default(-1),
  limit: z.coerce.number().int().min(1).max(mostPerPage).default(100),
})

/** `/archives`: the epochs of which this node holds the archive, oldest first; `next` is the `after` of the page that
 * follows. The gateway has their blocks: `/ipfs/<root>?format=car`. */
export function archiveRoutes({ archives }: { archives: Pick<ArchiveKeeper, 'page'> }): Router {
  const router = Router()
  router.get('/archives', (request, response) => {
    const { after, limit } = parse(querySchema, request.query)
    const items = archives.page(after, limit)
    const last = items.at(-1)
    const next = last !== undefined && items.length === limit ? String(last.epoch) : null
    const list: List<ArchiveEntry> = { items, next }
    response.set('Cache-Control', 'no-cache').json(list)
  })
  return router
}
