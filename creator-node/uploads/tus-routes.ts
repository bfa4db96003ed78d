import type { IncomingMessage, ServerResponse } from 'node:http'
import { Problem, requestContext } from '@hexachord/platform/http'
import { MemoryLocker, Server, type ServerOptions } from '@tus/server'
import { type Request, type RequestHandler, type Response, Router } from 'express'
import type { Identify } from '../admission/index.ts'
import { type AdmitOptions, admitUpload } from './admit-upload.ts'
import type { SourceFiles } from './source-files.ts'
import type { Upload } from './upload.ts'
import type { UploadStore } from './upload-store.ts'

export type TusRoutesOptions = {
  /** Origin of this node. */
  publicUrl: string
  uploads: UploadStore
  files: SourceFiles
  identify: Identify
  admit: AdmitOptions
  /** The file is complete and synced. */
  onReceived: (id: string) => void
  /** The artist takes the upload back. */
  onCancel: (upload: Upload) => Promise<void>
}

type TusRequest = Parameters<NonNullable<ServerOptions['onUploadCreate']>>[0]

/** How long a second request for one upload waits for the first, whose connection may be dead, to let go. */
const lockTimeoutMs = 15_000

/**
 * Resumable uploads by the tus protocol 1.0.0 (creation, creation-with-upload, termination) at `/uploads`. A new one
 * needs a token and a grant; only whoever began one may go on with it or delete it.
 */
export function tusRoutes(options: TusRoutesOptions): Router {
  const { uploads, files, identify } = options
  const server = new Server({
    path: '/uploads',
    datastore: files.store,
    locker: new MemoryLocker({ acquireLockTimeout: lockTimeoutMs }),
    generateUrl: (_request, { id }) => `${options.publicUrl}/uploads/${id}`,
    async onUploadCreate(request, { id, size, metadata }) {
      const account = identify(nodeOf(request).req as Request)
      uploads.add(await admitUpload({ id, account, byteLength: size, metadata }, options.admit))
      return {}
    },
    async onUploadFinish(_request, { id }) {
      await finishReceiving(id, { ...options, now: options.admit.now })
      return {}
    },
    onResponseError: (request, error) => asProblem(nodeOf(request), error),
  })

  const handle = async (request: Request, response: Response) => {
    if (request.method !== 'OPTIONS' && request.get('tus-resumable') !== '1.0.0') {
      throw new Problem({ status: 412, slug: 'tus-required', detail: 'send the header Tus-Resumable: 1.0.0' })
    }
    await server.handle(request, response)
  }

  /** Lets only the account pass that began the upload. */
  const owned: RequestHandler<{ id: string }> = (request, response, next) => {
    const upload = uploads.get(request.params.id)
    if (upload === undefined) throw noSuchUpload(request.params.id)
    const account = identify(request)
    if (account !== upload.account) {
      throw new Problem({
        status: 403,
        slug: 'not-your-upload',
        detail: `upload ${upload.id} was begun by another account`,
      })
    }
    response.locals.upload = upload
    next()
  }

  const router = Router()
  router.post('/uploads', handle)
  router.head('/uploads/:id', handle)
  router.patch('/uploads/:id', owned, handle)
  router.delete('/uploads/:id', owned, async (_request, response) => {
    await options.onCancel(response.locals.upload as Upload)
    response.set('Tus-Resumable', '1.0.0').status(204).end()
  })
  router.options(['/uploads', '/uploads/:id'], handle)
  return router
}

/** Makes a file that has all its bytes durable and hands it on. Does nothing when that was done before. */
export async function finishReceiving(
  id: string,
  options: {
    uploads: UploadStore
    files: SourceFiles
    onReceived: (id: string) => void
    now: () => number
  },
): Promise<void> {
  const { uploads, files, now } = options
  if (uploads.get(id)?.state !== 'receiving') return
  await files.sync(id)
  if (uploads.get(id)?.state !== 'receiving') return
  uploads.apply(id, 'received', ({ byteLength }) => ({ receivedBytes: byteLength, receivedAtMs: now() }))
  options.onReceived(id)
}

export function noSuchUpload(id: string): Problem {
  return new Problem({
    status: 404,
    slug: 'no-such-upload',
    detail: `this node has no upload ${id.slice(0, 80)}`,
  })
}

function nodeOf(request: TusRequest): { req: IncomingMessage; res: ServerResponse } {
  const node = request.runtime?.node
  if (node?.req === undefined || node.res === undefined) throw new TypeError('tus runs on a Node server here')
  return node as { req: IncomingMessage; res: ServerResponse }
}

/** tus answers errors as plain text; ours go out as problem details like all others. */
function asProblem(
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  error: Error | { status_code: number; body: string },
): { status_code: number; body: string } {
  const problem = problemOf(error)
  if (problem.status >= 500) requestContext(req as Request).logger.error({ err: error }, 'upload failed')
  const headers = {
    ...problem.headers,
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
  }
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  return { status_code: problem.status, body: JSON.stringify(problem.details()) }
}

function problemOf(error: Error | { status_code: number; body: string }): Problem {
  if (error instanceof Problem) return error
  if ('status_code' in error) return new Problem({ status: error.status_code, detail: error.body.trim() })
  return new Problem({ status: 500, detail: 'something went wrong here, not in the request: send it again' })
}
