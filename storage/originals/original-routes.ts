import { Problem } from '@hexachord/platform/http'
import { Router } from 'express'
import { sendFile } from '../files/index.ts'
import { contentDisposition } from '../gateway/file-names.ts'
import { type Gate, takeSession } from '../gateway/index.ts'
import type { IpfsNode } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'
import { createServedTracks } from '../tracks/index.ts'

/**
 * `GET /originals/:manifest`: the file that the artist sent, where it is part of the track, under the name that it had.
 * @param options.takedowns what this operator refuses; by default nothing
 * @param options.gate asks for payment, and limits what is given away; by default nothing costs anything
 */
export function originalRoutes(options: {
  ipfs: Pick<IpfsNode, 'get' | 'size'>
  takedowns?: Pick<Takedowns, 'requireServed'>
  gate?: Pick<Gate, 'requireFree' | 'meter'> | undefined
}): Router {
  const { ipfs, takedowns, gate } = options
  const trackOf = createServedTracks(options)
  const router = Router()
  router.get('/originals/:manifest', async (request, response) => {
    const { manifest } = request.params
    const { manifest: content, original } = await trackOf(manifest)
    if (content.original === undefined || original === undefined) {
      throw new Problem({
        status: 404,
        slug: 'no-original',
        detail: `the original file is not part of ${manifest}: its artist did not ask for that`,
      })
    }
    takedowns?.requireServed(original.cid)
    const cids = original.blocks.map(([, { '/': cid }]) => cid)
    gate?.requireFree(request, cids)
    const { byteLength, type, filename } = content.original
    const file = {
      parts: original.blocks.map(([bytes, { '/': cid }]) => ({ cid, byteLength: bytes })),
      ...{ byteLength, type, etag: `"${original.cid}"` },
      disposition: contentDisposition('attachment', filename),
    }
    await sendFile(request, response, {
      ...{ ipfs, takedowns, file },
      meter:
        gate && (() => gate.meter({ request, session: takeSession(request.originalUrl).session }, false)),
    })
  })
  return router
}
