import { Router } from 'express'
import { isUnchanged } from '../gateway/conditions.ts'
import type { OwnDenylist } from './own-denylist.ts'

/** `GET /denylist`: what notices this operator honours, as a compact denylist for other IPFS software. */
export function denylistRoutes({ denylist }: { denylist: OwnDenylist }): Router {
  const router = Router()
  router.get('/denylist', async (request, response) => {
    const { text, etag } = await denylist()
    response.set({ ETag: etag, 'Cache-Control': 'no-cache' })
    if (isUnchanged(request.headers, etag)) {
      response.status(304).end()
      return
    }
    response
      .set({
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Disposition': 'inline; filename="hexachord.deny"',
        'X-Content-Type-Options': 'nosniff',
      })
      .send(Buffer.from(text))
  })
  return router
}
