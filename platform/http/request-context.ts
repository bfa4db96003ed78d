import type { Request } from 'express'
import type { Logger } from '../process/index.ts'

/** What belongs to one request: its id, echoed in `X-Request-Id`, and a logger that names it in every line. */
export type RequestContext = { readonly id: string; readonly logger: Logger }

const contexts = new WeakMap<Request, { id: string; logger: Logger; own?: Logger }>()

/** Called once per request, by the app, with the logger that all requests have in common. */
export function setRequestContext(request: Request, id: string, logger: Logger): void {
  contexts.set(request, { id, logger })
}

/**
 * The request's id and logger.
 * @throws TypeError when the request did not come through an app made by `createApp`
 */
export function requestContext(request: Request): RequestContext {
  const context = contexts.get(request)
  if (context === undefined) throw new TypeError('this request did not come through createApp')
  // Most requests never say a word, and to make a logger takes longer than to answer some of them.
  context.own ??= context.logger.child({ requestId: context.id })
  return { id: context.id, logger: context.own }
}
