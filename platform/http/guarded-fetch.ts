import { Agent, type Dispatcher, request } from 'undici'
import { FetchBlocked, FetchFailed, FetchTimeout, FetchTooLarge } from './fetch-errors.ts'
import { guardedConnector, isPublicAddress } from './public-address.ts'

/** Like `fetch`, with bounds; see `createGuardedFetch`. */
export type GuardedFetch = {
  (input: string | URL | Request, init?: GuardedRequestInit): Promise<Response>
  /** Cuts what is running and closes every socket. */
  close(): Promise<void>
}

export type GuardedRequestInit = RequestInit & {
  /** In place of the default of this fetch. */
  timeoutMs?: number
  /** In place of the default of this fetch. */
  maxBytes?: number
}

export type GuardedFetchOptions = {
  /** From the call to the last byte of the answer. @default 30 s */
  timeoutMs?: number
  /** The largest body accepted, in bytes. @default 2 MiB */
  maxBytes?: number
  /** Redirects followed, each checked like a first request. @default 0 */
  maxRedirects?: number
  /** Whether loopback and private networks may be reached, as in a local network. @default false */
  allowPrivateAddresses?: boolean
  /** Which addresses are public, where only these may be reached. @default {@link isPublicAddress} */
  isPublic?: (address: string) => boolean
  /** Sockets to one origin; further requests wait for one. @default 16 */
  socketsPerOrigin?: number
}

/** Redirects that keep the method, or lead a GET or HEAD elsewhere. */
const redirectStatuses = new Set([301, 302, 303, 307, 308])

/** Answers which by definition have no body (and which `Response` refuses to give one). */
const emptyStatuses = new Set([204, 205, 304])

const defaultTimeoutMs = 30_000
const defaultMaxBytes = 2 * 1024 * 1024
const connectTimeoutMs = 5_000
const keepAliveMs = 10_000

/** A short body is taken in even when nobody reads it, such as that of an error: its socket is free again at once. */
const readAheadBytes = 64 * 1024

/** Peers that one process speaks with at the same time. */
const maxOrigins = 1_024

/**
 * A `fetch` for addresses that others chose: http and https only, a total time-out, a cap on the body as it arrives,
 * no redirects unless allowed, and an address check at the moment of connecting. Bodies are never decompressed.
 *
 * Rejects with FetchBlocked, FetchTimeout, FetchTooLarge, FetchFailed (any other network failure), or the reason of
 * the caller's signal; a body that is being read fails with the same errors.
 */
export function createGuardedFetch(options: GuardedFetchOptions = {}): GuardedFetch {
  const agent = new Agent({
    connect: guardedConnector({
      allowPrivateAddresses: options.allowPrivateAddresses ?? false,
      isPublic: options.isPublic ?? isPublicAddress,
      timeoutMs: connectTimeoutMs,
    }),
    connections: options.socketsPerOrigin ?? 16,
    maxOrigins,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: keepAliveMs,
    // The total time-out below rules; undici's own would only be a second, coarser one.
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  const attempts = new Set<Attempt>()

  async function guardedFetch(
    input: string | URL | Request,
    init: GuardedRequestInit = {},
  ): Promise<Response> {
    const wanted = new Request(input, streamable(init))
    const timeoutMs = init.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs
    const attempt = startAttempt(wanted, timeoutMs)
    attempts.add(attempt)
    const finish = () => {
      attempts.delete(attempt)
      attempt.finish()
    }
    const failure = (error: unknown) => {
      finish()
      return failureOf(error, attempt.signal, wanted.url)
    }
    try {
      const { url, answer } = await follow(wanted, init, attempt.signal)
      const maxBytes = init.maxBytes ?? options.maxBytes ?? defaultMaxBytes
      const headers = headersOf(answer)
      const announced = Number(headers.get('content-length') ?? 0)
      if (wanted.method !== 'HEAD' && announced > maxBytes) {
        discard(answer)
        throw new FetchTooLarge(`${url} announces ${announced} bytes; at most ${maxBytes} are accepted`)
      }
      if (wanted.method === 'HEAD' || emptyStatuses.has(answer.statusCode)) {
        await answer.body.dump()
        finish()
        return responseOf(url, null, answer.statusCode, headers)
      }
      const body = limitedBody(answer.body, { maxBytes, url, finish, failure })
      return responseOf(url, body, answer.statusCode, headers)
    } catch (error) {
      throw failure(error)
    }
  }

  async function follow(
    wanted: Request,
    init: GuardedRequestInit,
    signal: AbortSignal,
  ): Promise<{ url: string; answer: Dispatcher.ResponseData }> {
    const headers = new Headers(wanted.headers)
    let url = new URL(wanted.url)
    for (let redirects = 0; ; redirects += 1) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:') {
        throw new FetchBlocked(`${url.protocol} is not fetched, only http and https`)
      }
      const answer = await request(url, {
        dispatcher: agent,
        method: wanted.method as Dispatcher.HttpMethod,
        headers: Object.fromEntries(headers),
        body: bodyOf(wanted, init),
        signal,
      })
      const location = answer.headers.location
      if (
        !redirectStatuses.has(answer.statusCode) ||
        typeof location !== 'string' ||
        init.redirect === 'manual'
      ) {
        return { url: url.href, answer }
      }
      discard(answer)
      if (wanted.method !== 'GET' && wanted.method !== 'HEAD') {
        throw new FetchBlocked(`${url.href} redirects a ${wanted.method}, which is not followed`)
      }
      if (redirects >= (options.maxRedirects ?? 0)) {
        throw new FetchBlocked(`${url.href} redirects to ${location}, which is not followed`)
      }
      const next = URL.parse(location, url)
      if (next === null) throw new FetchFailed(`${url.href} redirects to no URL: ${location}`)
      if (next.origin !== url.origin) {
        headers.delete('authorization')
        headers.delete('cookie')
      }
      url = next
    }
  }

  async function close(): Promise<void> {
    for (const attempt of attempts) attempt.cancel(new FetchFailed('the fetch was closed'))
    attempts.clear()
    await agent.destroy()
  }

  return Object.assign(guardedFetch, { close })
}

/** One request with its redirects and its body, bounded in time. */
type Attempt = {
  signal: AbortSignal
  cancel(reason: Error): void
  finish(): void
}

function startAttempt(wanted: Request, timeoutMs: number): Attempt {
  const controller = new AbortController()
  const expire = () =>
    controller.abort(new FetchTimeout(`${wanted.url} did not answer within ${timeoutMs} ms`))
  const timer = setTimeout(expire, timeoutMs)
  const follow = () => controller.abort(wanted.signal.reason)
  wanted.signal.addEventListener('abort', follow, { once: true })
  if (wanted.signal.aborted) follow()
  function finish(): void {
    clearTimeout(timer)
    wanted.signal.removeEventListener('abort', follow)
  }
  return {
    signal: controller.signal,
    cancel(reason) {
      finish()
      controller.abort(reason)
    },
    finish,
  }
}

/** `Request` asks for `duplex` when the body is a stream. */
function streamable(init: GuardedRequestInit): RequestInit {
  return init.body instanceof ReadableStream ? ({ ...init, duplex: 'half' } as RequestInit) : init
}

/** Text and bytes go as they are, so that undici can announce their length. */
function bodyOf(wanted: Request, init: GuardedRequestInit): Dispatcher.DispatchOptions['body'] {
  if (typeof init.body === 'string' || init.body instanceof Uint8Array) return init.body
  return wanted.body as Dispatcher.DispatchOptions['body']
}

function headersOf(answer: Dispatcher.ResponseData): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, one)
  }
  return headers
}

function responseOf(
  url: string,
  body: ReadableStream<Uint8Array> | null,
  status: number,
  headers: Headers,
): Response {
  const response = new Response(body as BodyInit | null, { status, headers })
  // A Response that is made by hand has an empty URL; callers resolve relative links against it.
  return Object.defineProperty(response, 'url', { value: url })
}

/** Ends an answer that nobody will read; its socket is not worth saving. */
function discard(answer: Dispatcher.ResponseData): void {
  answer.body.on('error', ignore)
  answer.body.destroy()
}

/** The reader of a body learns of its failure from the iterator; the event would only end the process. */
function ignore(): void {}

function limitedBody(
  body: Dispatcher.ResponseData['body'],
  options: { maxBytes: number; url: string; finish: () => void; failure: (error: unknown) => unknown },
): ReadableStream<Uint8Array> {
  body.on('error', ignore)
  const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]()
  let received = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next()
          if (done === true) {
            options.finish()
            controller.close()
            return
          }
          received += value.byteLength
          if (received > options.maxBytes) {
            body.destroy()
            throw new FetchTooLarge(`${options.url} sends more than ${options.maxBytes} bytes`)
          }
          controller.enqueue(value)
        } catch (error) {
          controller.error(options.failure(error))
        }
      },
      cancel() {
        options.finish()
        body.destroy()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: readAheadBytes }),
  )
}

function failureOf(error: unknown, signal: AbortSignal, url: string): unknown {
  if (signal.aborted) return signal.reason
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof FetchFailed) return cause
  const message = error instanceof Error ? error.message : String(error)
  return new FetchFailed(`${url} could not be fetched: ${message}`, { cause: error })
}
