import { CidMismatch, maximumBlockBytes } from '../cids/index.ts'
import type { FaultKind, Source } from './source.ts'

/** The part of `fetch` that retrieval uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Takes in all that a URL answers. @throws when there is no answer, or more of it than `maxBytes` */
export type Download = (
  url: string,
  init: { headers: Readonly<Record<string, string>>; signal: AbortSignal; maxBytes: number },
) => Promise<Answer>

export type Answer = {
  readonly status: number
  /** As its header says. */
  readonly retryAfter: string | undefined
  readonly bytes: Uint8Array
}

/** Checks a block against its name. @throws CidMismatch */
export type Verify = (cid: string, bytes: Uint8Array) => void | Promise<void>

/** Why one source did not give one block. */
export class AttemptFailed extends Error {
  override readonly name = 'AttemptFailed'
  readonly kind: FaultKind
  /** The source asks to be left alone for so long. */
  readonly retryAfterMs: number | undefined

  constructor(kind: FaultKind, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.retryAfterMs = options.retryAfterMs
  }
}

const tooLate = new DOMException('the source took too long', 'TimeoutError')

/** Asks one source for one block and checks it.
 * @throws AttemptFailed, and the signal's reason when it is aborted */
export async function attempt(
  source: Source,
  cid: string,
  options: {
    readonly download: Download
    readonly verify: Verify
    readonly signal: AbortSignal
    readonly timeoutMs: number
  },
): Promise<Uint8Array> {
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(tooLate), options.timeoutMs)
  const signal = AbortSignal.any([options.signal, deadline.signal])
  try {
    const bytes = await untilAborted(
      'get' in source ? source.get(cid, signal) : fromUrl(source.url(cid), options.download, signal),
      signal,
    )
    if (bytes.length > maximumBlockBytes) throw tooLarge()
    await options.verify(cid, bytes)
    return bytes
  } catch (error) {
    const late = deadline.signal.aborted
    // What still runs for this attempt has nobody left to give its bytes to.
    deadline.abort(error)
    options.signal.throwIfAborted()
    if (error instanceof AttemptFailed) throw error
    if (error instanceof CidMismatch) throw new AttemptFailed('lied', 'it sent other bytes', { cause: error })
    if (late) {
      throw new AttemptFailed('timed-out', `no block within ${options.timeoutMs} ms`, { cause: error })
    }
    throw new AttemptFailed('unreachable', reasonOf(error), { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function fromUrl(url: string, download: Download, signal: AbortSignal): Promise<Uint8Array> {
  const headers = { accept: 'application/vnd.ipld.raw, */*;q=0.1' }
  const answer = await download(url, { signal, headers, maxBytes: maximumBlockBytes })
  if (answer.status !== 200) throw refusal(answer)
  return answer.bytes
}

/** Downloads by `fetch`, as browsers have it. */
export function downloadBy(fetch: Fetch): Download {
  return async (url, { headers, signal, maxBytes }) => {
    const response = await fetch(url, { signal, headers: { ...headers } })
    const { status, body } = response
    const retryAfter = response.headers.get('retry-after') ?? undefined
    if (status !== 200) {
      await body?.cancel()
      return { status, retryAfter, bytes: new Uint8Array() }
    }
    if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
      await body?.cancel()
      throw tooLarge()
    }
    return { status, retryAfter, bytes: body === null ? new Uint8Array() : await readAtMost(body, maxBytes) }
  }
}

async function readAtMost(body: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  const reader = body.getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.length
    if (length > limit) {
      await reader.cancel()
      throw tooLarge()
    }
    parts.push(read.value)
  }
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

function refusal({ status, retryAfter }: Answer): AttemptFailed {
  if (status === 404 || status === 410) return new AttemptFailed('missing', `it answered ${status}`)
  if (status === 402) return new AttemptFailed('unpaid', 'it wants to be paid')
  const seconds = Number(retryAfter ?? Number.NaN)
  return new AttemptFailed('refused', `it answered ${status}`, {
    ...(seconds >= 0 && { retryAfterMs: seconds * 1000 }),
  })
}

/** For a source that sent more than a block can have. */
export function tooLarge(cause?: unknown): AttemptFailed {
  return new AttemptFailed('lied', `it sent more than the ${maximumBlockBytes} bytes that a block can have`, {
    cause,
  })
}

// A `get` or a `fetch` that pays no heed to its signal must not hold up the rest.
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // fetch says 'fetch failed' and keeps what happened in the cause.
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
