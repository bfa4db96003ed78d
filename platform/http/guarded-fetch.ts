import { Agent, type Dispatcher, request } from 'undici'
import { FetchBlocked, FetchFailed, FetchTimeout, FetchTooLarge } from './fetch-errors.ts'
import { guardedConnector, isPublicAddress } from './public-address.ts'

/** Like `fetch`, with bounds; see `createGuardedFetch`. */
export type GuardedFetch = {
  (input: string | URL | Request, init?: GuardedRequestInit): Promise<Response>
  /** Cuts what is running and closes every socket. */
  close(): Promise<void>
}

/** A guarded fetch that can also take an answer in at once, which costs half of what a `Response` and its stream do. */
export type WholeFetch = GuardedFetch & {
  /** Asks for what is at a URL, bounded as the fetch is, and rejects with the same errors. */
  whole(url: string, init: WholeInit): Promise<WholeAnswer>
}

export type WholeInit = Pick<GuardedRequestInit, 'timeoutMs' | 'maxBytes'> & {
  headers: Readonly<Record<string, string>>
  signal: AbortSignal
}

export type WholeAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body of a 2xx; nothing of any other, which is to be told by its status. */
  readonly bytes: Uint8Array
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
export function createGuardedFetch(options: GuardedFetchOptions = {}): WholeFetch {
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
    const { attempt, finish, failure } = begin(wanted.url, wanted.signal, init)
    try {
      const asked = {
        url: wanted.url,
        method: wanted.method,
        headers: Object.fromEntries(wanted.headers),
        body: bodyOf(wanted, init),
        followsRedirects: init.redirect !== 'manual',
      }
      const { url, answer } = await follow(asked, attempt.signal)
      const maxBytes = maxBytesOf(init)
      if (wanted.method !== 'HEAD') refuseLarge(answer, { url, maxBytes })
      const headers = headersOf(answer)
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

  async function whole(url: string, init: WholeInit): Promise<WholeAnswer> {
    const { attempt, finish, failure } = begin(url, init.signal, init)
    try {
      const asked = { url, method: 'GET', headers: init.headers, body: null, followsRedirects: true }
      const { url: last, answer } = await follow(asked, attempt.signal)
      const maxBytes = maxBytesOf(init)
      const isGiven = answer.statusCode >= 200 && answer.statusCode < 300
      if (isGiven) refuseLarge(answer, { url: last, maxBytes })
      const bytes = isGiven ? await allOf(answer, { url: last, maxBytes }) : await noneOf(answer)
      finish()
      return { status: answer.statusCode, headers: answer.headers, bytes }
    } catch (error) {
      throw failure(error)
    }
  }

  function begin(url: string, signal: AbortSignal, { timeoutMs }: Pick<GuardedRequestInit, 'timeoutMs'>) {
    const attempt = startAttempt(url, signal, timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs)
    attempts.add(attempt)
    const finish = () => {
      attempts.delete(attempt)
      attempt.finish()
    }
    const failure = (error: unknown) => {
      finish()
      return failureOf(error, attempt.signal, url)
    }
    return { attempt, finish, failure }
  }

  function maxBytesOf({ maxBytes }: Pick<GuardedRequestInit, 'maxBytes'>): number {
    return maxBytes ?? options.maxBytes ?? defaultMaxBytes
  }

  async function follow(
    asked: Asked,
    signal: AbortSignal,
  ): Promise<{ url: string; answer: Dispatcher.ResponseData }> {
    const { method, body } = asked
    let { headers } = asked
    let url = new URL(asked.url)
    for (let redirects = 0; ; redirects += 1) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:') {
        throw new FetchBlocked(`${url.protocol} is not fetched, only http and https`)
      }
      const answer = await request(url, {
        dispatcher: agent,
        method: method as Dispatcher.HttpMethod,
        headers,
        body,
        signal,
      })
      const location = answer.headers.location
      if (
        !redirectStatuses.has(answer.statusCode) ||
        typeof location !== 'string' ||
        !asked.followsRedirects
      ) {
        return { url: url.href, answer }
      }
      discard(answer)
      if (method !== 'GET' && method !== 'HEAD') {
        throw new FetchBlocked(`${url.href} redirects a ${method}, which is not followed`)
      }
      if (redirects >= (options.maxRedirects ?? 0)) {
        throw new FetchBlocked(`${url.href} redirects to ${location}, which is not followed`)
      }
      const next = URL.parse(location, url)
      if (next === null) throw new FetchFailed(`${url.href} redirects to no URL: ${location}`)
      if (next.origin !== url.origin) headers = withoutSecrets(headers)
      url = next
    }
  }

  async function close(): Promise<void> {
    for (const attempt of attempts) attempt.cancel(new FetchFailed('the fetch was closed'))
    attempts.clear()
    await agent.destroy()
  }

  return Object.assign(guardedFetch, { whole, close })
}

type Asked = {
  url: string
  method: string
  headers: Readonly<Record<string, string>>
  body: Dispatcher.DispatchOptions['body']
  followsRedirects: boolean
}

/** One request with its redirects and its body, bounded in time. */
type Attempt = {
  signal: AbortSignal
  cancel(reason: Error): void
  finish(): void
}

function startAttempt(url: string, signal: AbortSignal, timeoutMs: number): Attempt {
  const controller = new AbortController()
  const expire = () => controller.abort(new FetchTimeout(`${url} did not answer within ${timeoutMs} ms`))
  const timer = setTimeout(expire, timeoutMs)
  const follow = () => controller.abort(signal.reason)
  signal.addEventListener('abort', follow, { once: true })
  if (signal.aborted) follow()
  function finish(): void {
    clearTimeout(timer)
    signal.removeEventListener('abort', follow)
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

/** To another origin nothing goes that was meant for the first. */
function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  const secrets = ['authorization', 'cookie']
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !secrets.includes(name.toLowerCase())))
}

/** @throws FetchTooLarge when the head of an answer tells that it is longer than it may be */
function refuseLarge(
  answer: Dispatcher.ResponseData,
  { url, maxBytes }: { url: string; maxBytes: number },
): void {
  const announced = announcedBytes(answer)
  if (announced === undefined || announced <= maxBytes) return
  discard(answer)
  throw new FetchTooLarge(`${url} announces ${announced} bytes; at most ${maxBytes} are accepted`)
}

function announcedBytes({ headers }: Dispatcher.ResponseData): number | undefined {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}

/** All of a body, in memory of its own. @throws FetchTooLarge */
async function allOf(
  answer: Dispatcher.ResponseData,
  { url, maxBytes }: { url: string; maxBytes: number },
): Promise<Uint8Array> {
  const { body } = answer
  // Not cleared: what is not written over is not given out.
  let bytes = Buffer.allocUnsafeSlow(announcedBytes(answer) ?? readAheadBytes)
  let length = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const end = length + chunk.byteLength
    if (end > maxBytes) {
      body.destroy()
      throw new FetchTooLarge(`${url} sends more than ${maxBytes} bytes`)
    }
    if (end > bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(maxBytes, 2 * end))
      larger.set(bytes.subarray(0, length))
      bytes = larger
    }
    bytes.set(chunk, length)
    length = end
  }
  return new Uint8Array(bytes.buffer, 0, length)
}

/** Has done with a body; for a short one its socket is worth saving. */
async function noneOf(answer: Dispatcher.ResponseData): Promise<Uint8Array> {
  if ((announcedBytes(answer) ?? Number.POSITIVE_INFINITY) <= readAheadBytes) await answer.body.dump()
  else discard(answer)
  return new Uint8Array()
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
