import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Express } from 'express'
import { observerOf } from './app.ts'

/**
 * Answers that are ready in memory. They are given before a request enters the app, whose routers and middleware take
 * as long as the sending of 100 kB; apart from that nobody must be able to tell the difference.
 */
export type QuickRoute = {
  /** As it stands in metrics: that of the route which would answer otherwise. */
  readonly route: string
  /** The answer, of status 200, if it is ready. Everything else is for the app. */
  answerTo(request: IncomingMessage): QuickAnswer | undefined
}

export type QuickAnswer = {
  /** All but the request's id: name, value, name, value, as `writeHead` takes them. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
}

/**
 * Gives what is ready at once, and all other requests to the app.
 * @param app made by `createApp` and finished
 */
export function quickFirst(quick: QuickRoute, app: Express): RequestListener {
  const observer = observerOf(app)
  const routeOf = () => quick.route
  return (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }) => {
    const answer = quick.answerTo(request)
    if (answer === undefined) {
      app(request, response)
      return
    }
    const id = observer.observe(request, response, routeOf)
    response.writeHead(200, ['X-Request-Id', id, ...answer.headers]).end(answer.body)
  }
}
