import { createServer, type RequestListener } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import { cutSlowReaders, type SlowReaderLimits } from './slow-readers.ts'

/** A server that accepts requests. */
export type Listening = {
  /** Such as `http://127.0.0.1:4600`: where this machine reaches it. */
  origin: string
  port: number
  /** Stops accepting, lets running requests finish for a short while, then cuts what is left. */
  close(): Promise<void>
}

/** The port cannot be had. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/** Slow heads hold a socket for nothing. */
const headersTimeoutMs = 15_000

/** Longer than the 60 s for which common proxies keep an idle connection, so that they, not we, close it. */
const keepAliveTimeoutMs = 65_000

/** One upload chunk may take its time on a phone; a client that needs longer resumes where it was cut. */
const defaultRequestTimeoutMs = 10 * 60_000

/** Running answers get this long at closing; event streams and long polls end by the lifecycle's signal. */
const defaultGraceMs = 3_000

/** Bound on sockets, in case a flood gets past the proxy. */
const defaultMaxConnections = 4_096

/**
 * Serves `app` on `host`:`port` (0 lets the system choose).
 * @throws ListenError when the port is taken or not allowed
 */
export async function listen(
  app: RequestListener,
  options: {
    host: string
    port: number
    /** For the whole body of a request. @default 10 min */
    requestTimeoutMs?: number
    /** @default 3 s */
    graceMs?: number
    /** @default 4,096 */
    maxConnections?: number
    slowReaders?: Partial<SlowReaderLimits>
  },
): Promise<Listening> {
  const server = createServer({ connectionsCheckingInterval: 5_000 }, app)
  server.headersTimeout = headersTimeoutMs
  server.requestTimeout = options.requestTimeoutMs ?? defaultRequestTimeoutMs
  server.keepAliveTimeout = keepAliveTimeoutMs
  server.maxConnections = options.maxConnections ?? defaultMaxConnections
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error) =>
      reject(new ListenError(`cannot listen on ${options.host}:${options.port}: ${cause.message}`, { cause }))
    server.once('error', refuse)
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', refuse)
      resolve()
    })
  })
  const slowReaders = cutSlowReaders(sockets, options.slowReaders)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new ListenError('the server has no TCP port')

  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, options.graceMs ?? defaultGraceMs)
    // A connection that becomes idle meanwhile would otherwise wait out its keep-alive time.
    const sweep = setInterval(() => server.closeIdleConnections(), 50)
    try {
      await closed
    } finally {
      slowReaders.close()
      clearTimeout(cut)
      clearInterval(sweep)
    }
  }

  let closing: Promise<void> | null = null
  return {
    origin: `http://${reachableHost(options.host)}:${address.port}`,
    port: address.port,
    close() {
      closing ??= close()
      return closing
    },
  }
}

function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return isIPv6(host) ? `[${host}]` : host
}
