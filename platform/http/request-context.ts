import type { Request } from 'express'
import type { Logger } from '../process/index.ts'

/** What belongs to one request: its id, echoed in `X-Request-Id`, and a logger that names it in every line. */
export type RequestContext = { id: string; logger: Logger }

const contexts = new WeakMap<Request, RequestContext>()

/** Called once per request, by the app. */
export function setRequestContext(request: Request, context: RequestContext): void {
  contexts.set(request, context)
}

/**
 * The request's id and logger.
 * @throws TypeError when the request did not come through an app made by `createApp`
 */
export function requestContext(request: Request): RequestContext {
  const context = contexts.get(request)
  if (context === undefined) throw new TypeError('this request did not come through createApp')
  return context
}
