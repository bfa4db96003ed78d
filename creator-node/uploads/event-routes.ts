import { once } from 'node:events'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { type Request, type Response, Router } from 'express'
import type { UploadChanges } from './changes.ts'
import { hasEnded } from './states.ts'
import { noSuchUpload } from './tus-routes.ts'
import { answerOf, type Upload } from './upload.ts'
import type { UploadStore } from './upload-store.ts'

/** Shorter than the idle time-outs of proxies, and than a client's patience. */
const heartbeatMs = 15_000
/** A queue moves without any change of the uploads in it. */
const queueLookMs = 2_000
/** Five pictures a second are all that an eye needs. What something begins with is told at once. */
const defaultGapMs = 200

export type UploadReadOptions = {
  uploads: Pick<UploadStore, 'get' | 'blockCount'>
  /** Uploads that are worked on before a queued one. */
  ahead: (upload: Upload) => number
  changes: UploadChanges
  /** Ends event streams when the node closes. */
  signal: AbortSignal
  /** Between two events that tell only of progress. @default 200 ms */
  gapMs?: number
}

/** `GET /uploads/:id`, and its changes as server-sent events at `/uploads/:id/events`. */
export function uploadReadRoutes(options: UploadReadOptions): Router {
  const { uploads } = options
  const router = Router()
  router.get('/uploads/:id', (request, response) => {
    const upload = uploads.get(request.params.id)
    if (upload === undefined) throw noSuchUpload(request.params.id)
    response.set('Cache-Control', 'no-store').json(shown(upload, options))
  })
  router.get('/uploads/:id/events', (request, response) =>
    streamChanges(request, response, request.params.id, options),
  )
  return router
}

/**
 * Events `upload`, each a whole snapshot with the version as its id: a client that comes back with Last-Event-ID has
 * missed nothing but intermediate states. The stream closes after the state in which the upload ends.
 */
async function streamChanges(
  request: Request,
  response: Response,
  id: string,
  options: UploadReadOptions,
): Promise<void> {
  const { uploads, changes, signal } = options
  if (uploads.get(id) === undefined) throw noSuchUpload(id)
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const ended = AbortSignal.any([signal, gone.signal])
  response.set({
    'Cache-Control': 'no-store',
    'Content-Type': 'text/event-stream; charset=utf-8',
    // Proxies must not wait for a buffer to fill.
    'X-Accel-Buffering': 'no',
  })
  response.flushHeaders()
  let seen = lastEventId(request)
  let seenAhead: number | undefined
  let seenStep: string | undefined
  let heardAtMs = performance.now()
  let restsUntilMs = 0
  while (!ended.aborted) {
    const upload = uploads.get(id)
    if (upload === undefined) break
    const over = hasEnded(upload.state)
    const ahead = upload.state === 'queued' ? options.ahead(upload) : undefined
    const isNew = upload.version > seen || over || (ahead !== undefined && ahead !== seenAhead)
    const restMs = restsUntilMs - performance.now()
    if (isNew && restMs > 0 && stepOf(upload) === seenStep) {
      await changes.next(id, restMs, ended)
    } else if (isNew) {
      seenStep = stepOf(upload)
      seen = Math.max(seen, upload.version)
      seenAhead = ahead
      heardAtMs = performance.now()
      const data = JSON.stringify(shown(upload, options))
      await send(response, `event: upload\nid: ${seen}\ndata: ${data}\n\n`, ended)
      if (over) break
      restsUntilMs = performance.now() + (options.gapMs ?? defaultGapMs)
    } else if (performance.now() - heardAtMs >= heartbeatMs) {
      heardAtMs = performance.now()
      await send(response, ': still here\n\n', ended)
    } else {
      await changes.next(id, ahead === undefined ? heartbeatMs : queueLookMs, ended)
    }
  }
  response.end()
}

/** What somebody waits for: another state, something that plays, the first segment of a rendition. */
function stepOf({ state, playable, renditions }: Upload): string {
  const begun = renditions.filter(({ segments }) => segments > 0).length
  return [state, playable, begun].join(' ')
}

function shown(upload: Upload, { uploads, ahead }: UploadReadOptions): UploadAnswer {
  return answerOf(upload, {
    blocks: uploads.blockCount(upload.id),
    ahead: upload.state === 'queued' ? ahead(upload) : undefined,
  })
}

function lastEventId(request: Request): number {
  const text = request.get('last-event-id') ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : -1
}

/** Writes, and waits while the client is slower than we are. */
async function send(response: Response, text: string, ended: AbortSignal): Promise<void> {
  if (response.write(text)) return
  await quietly(once(response, 'drain', { signal: ended }), ended)
}

/** An aborted wait is an ended one here, not a failure. */
async function quietly(wait: Promise<unknown>, ended: AbortSignal): Promise<void> {
  try {
    await wait
  } catch (error) {
    if (!ended.aborted) throw error
  }
}
