import { randomUUID } from 'node:crypto'
import cors from 'cors'
import express, {
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import helmet from 'helmet'
import type { Histogram, Logger, Metrics } from '../process/index.ts'
import { setRequestContext } from './request-context.ts'

/** Every JSON body of the API is far smaller; files come by other content types, which this parser leaves alone. */
const jsonBodyLimitBytes = 64 * 1024

/** Buckets from a cached answer to a long poll, in seconds. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Headers that scripts of other origins may read. */
const exposedHeaders = [
  'Accept-Ranges',
  'Content-Length',
  'Content-Range',
  'ETag',
  'Location',
  'Retry-After',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'X-Ipfs-Path',
  'X-Ipfs-Roots',
  'X-Request-Id',
]

/** A day: the answers to preflights never change. */
const preflightMaxAgeSeconds = 86_400

/**
 * An Express app with request ids, access logs, CORS for every origin, security headers, the metric
 * `http_request_seconds{route,method,status}` and JSON bodies up to 64 kB. Add routes, then call `finishApp`.
 *
 * Access logs and metrics name the path or route without its query, since players put secrets there.
 */
export function createApp(options: { logger: Logger; metrics: Metrics; service: string }): Express {
  const seconds = options.metrics.histogram({
    name: 'http_request_seconds',
    help: 'Time from the head of a request to the end of its answer',
    labelNames: ['route', 'method', 'status'],
    buckets: durationBuckets,
  })
  const app = express()
  app.disable('x-powered-by')
  app.set('etag', false)
  app.set('query parser', 'simple')
  app.use(observe(options.logger, seconds))
  app.use(
    helmet({
      // Whatever is served here is data; were it opened as a page, it could run and load nothing.
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], sandbox: [] },
      },
      crossOriginResourcePolicy: { policy: 'cross-origin' },
      // TLS ends at the operator's proxy, which knows whether every service of the domain has it.
      strictTransportSecurity: false,
    }),
  )
  app.use(crossOrigin())
  app.use(express.json({ limit: jsonBodyLimitBytes }))
  return app
}

function observe(logger: Logger, seconds: Histogram<'route' | 'method' | 'status'>): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now()
    const id = requestId(request)
    const requestLogger = logger.child({ requestId: id })
    setRequestContext(request, { id, logger: requestLogger })
    response.setHeader('X-Request-Id', id)
    const path = pathOf(request)
    response.once('close', () => {
      const durationMs = performance.now() - startedAt
      const { method } = request
      // Nginx's number for a client that went away before its answer was complete.
      const status = response.writableFinished ? response.statusCode : 499
      seconds.observe({ route: routeOf(request), method, status: String(status) }, durationMs / 1000)
      const line = { method, path, status, durationMs: Math.round(durationMs * 10) / 10 }
      requestLogger[logLevelOf(path, status)](line, 'request')
    })
    next()
  }
}

/** Probes come every few seconds; a part that is away (503) is for `/ready` and its own logs to tell. */
function logLevelOf(path: string, status: number): 'debug' | 'info' | 'error' {
  if (path === '/health' || path === '/ready') return 'debug'
  return status >= 500 && status !== 503 ? 'error' : 'info'
}

/** A proxy's or caller's id when it is a harmless word, else one of our own. */
function requestId(request: Request): string {
  const given = request.get('x-request-id')
  return given !== undefined && /^[\w-]{8,64}$/.test(given) ? given : randomUUID()
}

function pathOf(request: Request): string {
  const [path = ''] = request.originalUrl.split('?', 1)
  return path
}

/** The route as it was declared, so that the metric has one series per route and not one per path. */
function routeOf(request: Request): string {
  const route: unknown = request.route
  if (typeof route !== 'object' || route === null || !('path' in route)) return 'unmatched'
  return request.baseUrl + String(route.path)
}

function crossOrigin(): RequestHandler {
  const answer = cors({
    origin: '*',
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE'],
    exposedHeaders,
    maxAge: preflightMaxAgeSeconds,
  })
  return (request: Request, response: Response, next: NextFunction) => {
    // An OPTIONS that is no preflight asks the route itself what it can do, as tus clients may.
    if (request.method === 'OPTIONS' && request.get('access-control-request-method') === undefined) {
      response.setHeader('Access-Control-Allow-Origin', '*')
      next()
      return
    }
    answer(request, response, next)
  }
}
