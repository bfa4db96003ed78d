import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger, Metrics } from '../process/index.ts'

/** Counts, times and logs requests. */
export type Observer = {
  /**
   * Called with the head of each request; what becomes of it is told when its answer is over.
   * @param routeOf asked then: the route as it was declared, so that the metric has one series per route
   * @param startedAt when it came, as of `performance.now()`. @default now
   * @returns the request's id
   */
  observe<Request extends IncomingMessage>(
    request: Request,
    response: ServerResponse,
    routeOf: (request: Request) => string,
    startedAt?: number,
  ): string
}

/** Buckets from a cached answer to a long poll, in seconds. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/**
 * Keeps the metric `http_request_seconds{route,method,status}` and an access log. Neither has queries, since players
 * put secrets there.
 * @param options.routine paths, and beginnings of paths that end in a slash, which are asked for all the time: the
 * log tells only their failures, unless it is at `debug`
 */
export function createObserver(options: {
  logger: Logger
  metrics: Metrics
  routine: readonly string[]
}): Observer {
  const { logger, routine } = options
  const seconds = options.metrics.histogram({
    name: 'http_request_seconds',
    help: 'Time from the head of a request to the end of its answer',
    labelNames: ['route', 'method', 'status'],
    buckets: durationBuckets,
  })

  function levelOf(path: string, status: number): 'debug' | 'info' | 'error' {
    // A part that is away (503) is for `/ready` and its own logs to tell.
    if (status >= 500 && status !== 503) return 'error'
    const isRoutine = routine.some((known) => (known.endsWith('/') ? path.startsWith(known) : path === known))
    return isRoutine && (status < 400 || status === 503) ? 'debug' : 'info'
  }

  return {
    observe(request, response, routeOf, startedAt = performance.now()) {
      const id = requestId(request)
      // The app takes parts off the URL on its way through its routers.
      const { method = '', url = '' } = request
      response.on('close', () => {
        const durationMs = performance.now() - startedAt
        // Nginx's number for a client that went away before its answer was complete.
        const status = response.writableFinished ? response.statusCode : 499
        seconds.observe({ route: routeOf(request), method, status: String(status) }, durationMs / 1000)
        const [path = ''] = url.split('?', 1)
        const level = levelOf(path, status)
        if (!logger.isLevelEnabled(level)) return
        const line = { requestId: id, method, path, status, durationMs: Math.round(durationMs * 10) / 10 }
        logger[level](line, 'request')
      })
      return id
    },
  }
}

/** A proxy's or caller's id when it is a harmless word, else one of our own. */
function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : randomUUID()
}
