import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import cors from 'cors'
import express, { type Express, type Request, type RequestHandler } from 'express'
import helmet from 'helmet'
import type { Logger, Metrics } from '../process/index.ts'
import { createObserver, type Observer } from './observe.ts'
import { setRequestContext } from './request-context.ts'

/** Every JSON body of the API is far smaller; files come by other content types, which this parser leaves alone. */
const jsonBodyLimitBytes = 64 * 1024

/** Headers that scripts of other origins may read. */
const exposedHeaders = [
  'Accept-Ranges',
  'Content-Length',
  'Content-Range',
  'ETag',
  'Location',
  'PAYMENT-REQUIRED',
  'PAYMENT-RESPONSE',
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

/** Probes come every few seconds. */
const probes = ['/health', '/ready']

const observers = new WeakMap<Express, Observer>()

/**
 * An Express app with request ids, access logs, CORS for every origin, security headers, the metric
 * `http_request_seconds{route,method,status}` and JSON bodies up to 64 kB. Add routes, then call `finishApp`.
 *
 * Access logs and metrics name the path or route without its query, since players put secrets there.
 * @param options.routine beginnings of paths, each with a slash at its end, of which the log at `info` tells failures
 * only: so many are asked for that metrics have to do. Health probes are always such.
 * @param options.ownBodies beginnings of paths whose routes read JSON bodies themselves, with bounds of their own
 */
export function createApp(options: {
  logger: Logger
  metrics: Metrics
  service: string
  routine?: readonly string[]
  ownBodies?: readonly string[]
}): Express {
  const { logger, metrics, routine = [], ownBodies = [] } = options
  const observer = createObserver({ logger, metrics, routine: [...probes, ...routine] })
  const app = express()
  observers.set(app, observer)
  app.disable('x-powered-by')
  app.set('etag', false)
  app.set('query parser', 'simple')
  app.use((request, response, next) => {
    const id = observer.observe(request, response, routeOf)
    setRequestContext(request, id, logger)
    response.setHeader('X-Request-Id', id)
    response.setHeaders(standingHeaders)
    next()
  })
  app.use(answerPreflights)
  const readBody = express.json({ limit: jsonBodyLimitBytes })
  app.use((request, response, next) => {
    if (ownBodies.some((beginning) => request.path.startsWith(beginning))) next()
    else readBody(request, response, next)
  })
  return app
}

/** What watches the requests of an app made by `createApp`. */
export function observerOf(app: Express): Observer {
  const observer = observers.get(app)
  if (observer === undefined) throw new TypeError('this app was not made by createApp')
  return observer
}

/** Every answer's; computed once, since they never change. */
const standingHeaders = new Map<string, string>([
  ...securityHeaders(),
  ['Access-Control-Allow-Origin', '*'],
  ['Access-Control-Expose-Headers', exposedHeaders.join(',')],
])

function securityHeaders(): [string, string][] {
  const secure = helmet({
    // Whatever is served here is data; were it opened as a page, it could run and load nothing.
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], sandbox: [] },
    },
    crossOriginResourcePolicy: { policy: 'cross-origin' },
    // TLS ends at the operator's proxy, which knows whether every service of the domain has it.
    strictTransportSecurity: false,
    // For pages, for browsers and plugins that are no more, or said better by the policy above; every segment would
    // carry them.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    referrerPolicy: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xFrameOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  })
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  secure(request, response, (error) => {
    if (error !== undefined) throw error
  })
  return response.getHeaderNames().map((name) => [name, String(response.getHeader(name))])
}

const preflights = cors({
  origin: '*',
  methods: ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE'],
  exposedHeaders,
  maxAge: preflightMaxAgeSeconds,
})

/** An OPTIONS that is no preflight asks the route itself what it can do, as tus clients may. */
const answerPreflights: RequestHandler = (request, response, next) => {
  const isPreflight =
    request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
  if (isPreflight) preflights(request, response, next)
  else next()
}

/** The route as it was declared. */
function routeOf(request: Request): string {
  const route: unknown = request.route
  if (typeof route !== 'object' || route === null || !('path' in route)) return 'unmatched'
  return request.baseUrl + String(route.path)
}
