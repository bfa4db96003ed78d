import { Problem, requestContext } from '@hexachord/platform/http'
import type { Identify } from '@hexachord/storage/peers'
import { MemoryLocker, Server } from '@tus/server'
import { type Request, type RequestHandler, type Response, Router } from 'express'
import { type AdmitOptions, addWithRoom, checkUpload } from './admit-upload.ts'
import { isDiskFull } from './free-space.ts'
import { diskFull, type SourceFiles } from './source-files.ts'
import type { Upload } from './upload.ts'
import type { UploadStore } from './upload-store.ts'

export type TusRoutesOptions = {
  /** Origin of this node. */
  publicUrl: string
  uploads: UploadStore
  files: SourceFiles
  identify: Identify
  admit: AdmitOptions
  /** Begins an upload of a file that this account has sent before, with the track that was made of it.
   * @returns whether there is one: then nothing need be sent */
  takeOver: (upload: Upload) => Promise<boolean>
  /** Bytes of the file begin to come, the first or more of them. */
  onArriving: (id: string) => void
  /** The file is complete; it is synced and written down next. */
  onArrived: (id: string) => void
  /** The file is complete and synced. */
  onReceived: (id: string) => void
  /** The artist takes the upload back. */
  onCancel: (upload: Upload) => Promise<void>
}

/** Of the tus protocol. */
const version = '1.0.0'

/** How long a second request for one upload waits for the first, whose connection may be dead, to let go. */
const lockTimeoutMs = 15_000

/**
 * Resumable uploads by the tus protocol 1.0.0 (creation, creation-with-upload, termination) at `/uploads`. A new one
 * needs a token and a grant; only whoever began one may go on with it or delete it.
 */
export function tusRoutes(options: TusRoutesOptions): Router {
  const { uploads, files, identify } = options
  /** The requests that tus is working on, by the form in which it knows them. */
  const origins = new WeakMap<object, Request>()
  const originOf = (request: object): Request => {
    const origin = origins.get(request)
    if (origin === undefined) throw new TypeError('tus works on a request that did not come through here')
    return origin
  }

  const server = new Server({
    path: '/uploads',
    datastore: files.store,
    locker: new MemoryLocker({ acquireLockTimeout: lockTimeoutMs }),
    generateUrl: (_request, { id }) => `${options.publicUrl}/uploads/${id}`,
    async onUploadCreate(request, { id, size, metadata }) {
      const account = identify(originOf(request))
      const upload = await checkUpload({ id, account, byteLength: size, metadata }, options.admit)
      if (await options.takeOver(upload)) return {}
      await addWithRoom(upload, options.admit)
      return {}
    },
    async onUploadFinish(_request, { id }) {
      await finishReceiving(id, { ...options, now: options.admit.now })
      return {}
    },
    onResponseError(request, error) {
      const problem = problemOf(error)
      if (problem.status >= 500)
        requestContext(originOf(request)).logger.error({ err: error }, 'upload failed')
      problems.set(request, problem)
      return undefined
    },
  })
  /** What went wrong in the requests that failed. */
  const problems = new WeakMap<object, Problem>()

  const handle = async (request: Request, response: Response) => {
    const web = webRequest(request, options.publicUrl)
    origins.set(web, request)
    const answer = await server.handleWeb(web)
    if (answer.status >= 400) {
      throw problems.get(web) ?? new Problem({ status: answer.status, detail: (await answer.text()).trim() })
    }
    response.status(answer.status)
    const begun = request.method === 'POST' ? uploads.get(idIn(answer.headers.get('location'))) : undefined
    if (begun !== undefined && begun.state !== 'receiving') {
      response.setHeader('Upload-Offset', String(begun.byteLength))
    }
    for (const [name, value] of answer.headers) response.setHeader(name, value)
    response.removeHeader('Content-Type')
    response.end()
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

  /** Others may have filled the disk since the upload was admitted. */
  const whileThereIsRoom: RequestHandler = async (_request, response, next) => {
    const { byteLength, receivedBytes } = response.locals.upload as Upload
    // What this upload was promised counts as taken, and is its own.
    if ((await options.admit.freeBytes()) + byteLength - receivedBytes <= 0) throw diskFull()
    next()
  }

  const arriving: RequestHandler = (_request, response, next) => {
    const { id, state } = response.locals.upload as Upload
    if (state === 'receiving') options.onArriving(id)
    next()
  }

  const router = Router()
  router.post('/uploads', tusVersion, handle)
  router.head('/uploads/:id', tusVersion, handle)
  router.patch('/uploads/:id', tusVersion, owned, whileThereIsRoom, arriving, handle)
  router.delete('/uploads/:id', tusVersion, owned, async (_request, response) => {
    await options.onCancel(response.locals.upload as Upload)
    response.set('Tus-Resumable', version).status(204).end()
  })
  router.options(['/uploads', '/uploads/:id'], handle)
  return router
}

/** tus 1.0.0, Tus-Version: another version is answered with 412 and the one that is spoken here. */
const tusVersion: RequestHandler = (request, _response, next) => {
  const given = request.get('tus-resumable')
  if (given !== version) {
    throw new Problem({
      status: 412,
      slug: 'tus-version',
      detail: `the header Tus-Resumable must be ${version}, not ${given?.slice(0, 20) ?? 'missing'}`,
      headers: { 'Tus-Version': version, 'Tus-Resumable': version },
    })
  }
  next()
}

function idIn(url: string | null): string {
  return url?.split('/').at(-1) ?? ''
}

/** Makes a file that has all its bytes durable and hands it on. Does nothing when that was done before. */
export async function finishReceiving(
  id: string,
  options: {
    uploads: UploadStore
    files: SourceFiles
    onArrived: (id: string) => void
    onReceived: (id: string) => void
    now: () => number
  },
): Promise<void> {
  const { uploads, files, now } = options
  if (uploads.get(id)?.state !== 'receiving') return
  options.onArrived(id)
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

/** The request as tus wants it. Its own adapter for Node would leave us no say in how errors are answered. */
function webRequest(request: Request, origin: string): globalThis.Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string') headers.set(name, value)
  }
  const body = request.method === 'POST' || request.method === 'PATCH' ? bodyOf(request) : null
  return new globalThis.Request(new URL(request.originalUrl, origin), {
    method: request.method,
    headers,
    body,
    ...(body === null ? {} : { duplex: 'half' }),
  } as RequestInit)
}

/** The body, untouched until somebody reads it: Node can skip over it then, and the connection stays of use. */
function bodyOf(request: Request): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Uint8Array> | undefined
  return new ReadableStream(
    {
      async pull(controller) {
        chunks ??= request.iterator({ destroyOnReturn: false })
        const { done, value } = await chunks.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
    },
    { highWaterMark: 0 },
  )
}

function problemOf(error: Error | { status_code: number; body: string }): Problem {
  if (error instanceof Problem) return error
  if (isDiskFull(error)) return diskFull(error)
  if ('status_code' in error) return new Problem({ status: error.status_code, detail: error.body.trim() })
  const detail = 'something went wrong here, not in the request: send it again'
  return new Problem({ status: 500, detail, cause: error })
}
