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
  /** The answer, of status 200, if it is ready, or will be in a moment. Everything else is for the app, such as what a
   * promise was rejected for. */
  answerTo(request: IncomingMessage): QuickAnswer | Promise<QuickAnswer> | undefined
}

export type QuickAnswer = {
  /**
   * All but the request's id and what Node says of the connection: name, value, name, value, as `writeHead` takes them.
   * The same array may come again and is known then.
   */
  readonly headers: readonly string[]
  /** Headers of this answer alone, in the same form. */
  readonly ownHeaders?: readonly string[]
  readonly body: Uint8Array
}

/**
 * Gives what is ready at once, and all other requests to the app.
 * @param app made by `createApp` and finished, and served by one server alone
 */
export function quickFirst(quick: QuickRoute, app: Express): RequestListener {
  const observer = observerOf(app)
  const routeOf = () => quick.route
  const heads = createHeads()
  return (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }) => {
    const answer = quick.answerTo(request)
    if (answer === undefined) {
      app(request, response)
      return
    }
    const startedAt = performance.now()
    const give = ({ headers, ownHeaders = none, body }: QuickAnswer) => {
      const id = observer.observe(request, response, routeOf, startedAt)
      heads.write(response, headers, ['X-Request-Id', id, ...ownHeaders])
      response.end(body)
    }
    if (answer instanceof Promise) answer.then(give, () => app(request, response))
    else give(answer)
  }
}

const none: readonly string[] = []

/** What Node sends before a body. It has no public way to send a head again, and tests look whether this one works. */
type Headed = ServerResponse & { _header: string | null }

/** Around what is of one answer alone. */
type Head = { readonly second: number; readonly before: string; readonly after: string }

/**
 * Heads of status 200 as Node has made them. To check and to join twenty headers takes it a tenth of the time of a
 * whole answer, so within the second for which its date is right a head is sent again, with another id.
 */
function createHeads() {
  const made = new WeakMap<readonly string[], Head>()
  return {
    write(response: ServerResponse, headers: readonly string[], own: readonly string[]): void {
      const headed = response as Headed
      const lines = linesOf(own)
      // What Node says of the connection is the same for all that stay open.
      if (!response.shouldKeepAlive || lines === undefined) {
        response.writeHead(200, [...own, ...headers])
        return
      }
      const second = Math.floor(Date.now() / 1000)
      const head = made.get(headers)
      if (head?.second === second) {
        headed._header = head.before + lines + head.after
        return
      }
      response.writeHead(200, [...own, ...headers])
      const text = headed._header
      // Of an answer without a length Node has to know more than its head.
      if (text === null || response.chunkedEncoding) return
      const at = text.indexOf('\r\n') + 2
      if (!text.startsWith(lines, at)) return
      made.set(headers, { second, before: text.slice(0, at), after: text.slice(at + lines.length) })
    },
  }
}

/** Headers as they are sent; undefined where Node has to look at what they are. */
function linesOf(headers: readonly string[]): string | undefined {
  let lines = ''
  for (let at = 0; at < headers.length; at += 2) {
    const [name = '', value = ''] = [headers[at], headers[at + 1]]
    if (!harmless.test(value)) return undefined
    lines += `${name}: ${value}\r\n`
  }
  return lines
}

/** Base64, words and numbers. */
const harmless = /^[\w+/=.-]*$/
