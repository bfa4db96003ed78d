import { Problem, parse } from '@hexachord/platform/http'
import type { BlockList } from '@hexachord/protocol/offers'
import { operatorOf } from '@hexachord/storage/peers'
import { type RequestHandler, Router } from 'express'
import * as z from 'zod'
import { noSuchUpload, type Upload, type UploadChanges, type UploadStore } from '../uploads/index.ts'

/** Longest wait of a long poll: below the idle time-out of common proxies. */
const maximumWaitMs = 30_000
/** Entries of one answer. */
const pageSize = 1000

const querySchema = z.object({
  after: z.coerce.number('must be a cursor of this list').int().min(0).default(0),
  wait: z.coerce.number('must be a number of ms').int().min(0).default(0),
})

/** `GET /uploads/:id/blocks?after=N&wait=MS`: the growing list of an upload's blocks, for operators it was offered to. */
export function blockListRoutes(options: {
  uploads: Pick<UploadStore, 'get' | 'blocks'>
  changes: UploadChanges
  requireOperator: RequestHandler
  /** Ends long polls. */
  signal: AbortSignal
}): Router {
  const { uploads, changes, signal } = options
  const router = Router()
  router.get('/uploads/:id/blocks', options.requireOperator, async (request, response) => {
    const { id } = request.params as { id: string }
    const { after, wait } = parse(querySchema, request.query)
    const { operator } = operatorOf(response)
    const until = performance.now() + Math.min(wait, maximumWaitMs)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const ending = AbortSignal.any([signal, gone.signal])
    for (;;) {
      const upload = uploads.get(id)
      if (upload === undefined) throw noSuchUpload(id)
      if (!upload.replicas.some((replica) => replica.operator === operator)) {
        throw new Problem({
          status: 403,
          slug: 'not-offered',
          detail: `upload ${id} was not offered to ${operator}`,
        })
      }
      const list = blockListOf(upload, uploads.blocks(id, after, pageSize), after)
      const leftMs = until - performance.now()
      if (list.items.length > 0 || list.state !== 'growing' || leftMs <= 0 || ending.aborted) {
        response.set('Cache-Control', 'no-store').json(list)
        return
      }
      await changes.next(id, leftMs, ending)
    }
  })
  return router
}

/** One page of the list. It is called complete only on its last page, so that nobody stops before that.
 * @param blocks those after the `after`th, at most a page full */
export function blockListOf(
  upload: Upload,
  blocks: readonly { readonly cid: string; readonly byteLength: number }[],
  after: number,
): BlockList {
  const ended = upload.state === 'failed' || upload.state === 'cancelled'
  const complete = upload.track !== undefined && blocks.length < pageSize
  return {
    items: blocks.map(({ cid, byteLength }) => ({ cid, byteLength })),
    next: String(after + blocks.length),
    state: ended ? 'failed' : complete ? 'complete' : 'growing',
    manifest: complete && !ended ? (upload.track?.manifest ?? null) : null,
  }
}
