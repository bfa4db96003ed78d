import type { ErrorRequestHandler, Express, Request, Response } from 'express'
import { z } from 'zod'
import { Problem, problemOfZodError } from './problem.ts'
import { requestContext } from './request-context.ts'

/** Adds what must come after every route: the 404 and the one place where errors become answers. */
export function finishApp(app: Express): Express {
  app.use((request: Request) => {
    throw new Problem({
      status: 404,
      slug: 'no-such-route',
      detail: `${request.method} ${request.path} is not served here`,
    })
  })
  app.use(answerError)
  return app
}

const answerError: ErrorRequestHandler = (error: unknown, request, response, _next) => {
  const { id, logger } = requestContext(request)
  if (response.headersSent || response.destroyed) {
    // Too late for another answer: the broken connection is what tells the caller.
    logger.warn({ err: error }, 'failed after the answer had begun')
    response.destroy()
    return
  }
  const known = problemOf(error)
  if (known === null) logger.error({ err: error }, 'request handler failed')
  const problem =
    known ??
    new Problem({
      status: 500,
      slug: 'internal-error',
      detail: `something went wrong here, not in the request; the operator finds it in the logs under ${id}`,
    })
  sendProblem(response, problem, `urn:request:${id}`)
}

/** Answers with a problem outside the error handler, such as from a raw stream handler. */
export function sendProblem(response: Response, problem: Problem, instance?: string): void {
  response
    .status(problem.status)
    .set({ 'Cache-Control': 'no-store', ...problem.headers })
    .type('application/problem+json')
    .send(JSON.stringify(problem.details(instance)))
}

/** The problem an error stands for, or null for one that nobody foresaw. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Problem) return error
  if (error instanceof z.core.$ZodError) return problemOfZodError(error)
  return problemOfExpress(error)
}

/** Body parser errors carry a 4xx `status` and, when `expose` is set, a message for the caller; the router's only a status. */
function problemOfExpress(error: unknown): Problem | null {
  if (!(error instanceof Error) || !('status' in error)) return null
  const { status } = error
  const meantForCaller = error instanceof URIError || ('expose' in error && error.expose === true)
  if (!meantForCaller || typeof status !== 'number' || status < 400 || status > 499) return null
  const limit = status === 413 && 'limit' in error ? error.limit : undefined
  const detail =
    limit === undefined ? error.message : `the body has more than the ${limit} bytes that are taken here`
  return new Problem({ status, detail, cause: error })
}
