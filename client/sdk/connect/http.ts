import { checked } from '@hexachord/protocol/checked'
import { problemSchema } from '@hexachord/protocol/rest'
import type * as z from 'zod'

/** Longest JSON answer that the client reads, and longest description of an error. */
const maximumAnswerBytes = 8 << 20
const maximumProblemBytes = 64 << 10

/** `fetch` of the platform: passed in, so that tests and hosts can bring their own. */
export type Http = typeof globalThis.fetch

/** An answer that is not the one asked for. `status` is 0 when there was none at all. */
export class ApiError extends Error {
  override readonly name: string = 'ApiError'
  readonly status: number
  readonly url: string
  /** Type of the problem details, such as `urn:hexachord:problem:budget-spent`. */
  readonly problem: string | undefined
  readonly retryAfterMs: number | undefined
  /** What else the problem details say (RFC 9457, section 3.2). */
  readonly members: Readonly<Record<string, unknown>>

  constructor(
    message: string,
    details: {
      status: number
      url: string
      problem?: string
      retryAfterMs?: number
      members?: Record<string, unknown>
      cause?: unknown
    },
  ) {
    super(message, { cause: details.cause })
    this.status = details.status
    this.url = details.url
    this.problem = details.problem
    this.retryAfterMs = details.retryAfterMs
    this.members = details.members ?? {}
  }
}

/** Whether an answer says that something is gone, and not only that this provider does not show it. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 410 && !error.problem?.endsWith(':taken-down')
}

/** Asks for JSON and checks its form.
 * @param timeoutMs for the whole answer; default 10 s
 * @throws ApiError for no answer, an error status, or an answer of another form */
export async function readJson<T>(
  http: Http,
  url: string,
  schema: z.ZodType<T>,
  { timeoutMs = 10_000, signal, ...init }: RequestInit & { timeoutMs?: number } = {},
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const response = await http(url, {
      ...init,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    if (!response.ok) throw await readProblem(response, url)
    return parseAnswer(await readText(response, maximumAnswerBytes), schema, url)
  } catch (cause) {
    if (cause instanceof ApiError || signal?.aborted) throw cause
    if (timeout.aborted) throw noAnswer(url, `no answer within ${timeoutMs} ms`, cause)
    throw noAnswer(url, reasonOf(cause), cause)
  }
}

/** Checks the form of an answer. @throws ApiError */
export function parseAnswer<T>(text: string, schema: z.ZodType<T>, url: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw noAnswer(url, 'the answer is not JSON', cause)
  }
  const result = checked(schema, value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw noAnswer(url, `the answer has another form: ${issue?.path.join('.')} ${issue?.message}`, result.error)
}

/** The error that an answer with an error status stands for; reads problem details where there are some. */
export async function readProblem(response: Response, url: string): Promise<ApiError> {
  return problemError(await readText(response, maximumProblemBytes), {
    url,
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
  })
}

/** @param retryAfter of the header `Retry-After`; only its form in seconds is known here */
export function problemError(
  body: string,
  { url, status, retryAfter }: { url: string; status: number; retryAfter?: string | null | undefined },
): ApiError {
  const problem = parseProblem(body)
  const seconds = Number(retryAfter ?? 0)
  return new ApiError(problem?.detail || problem?.title || `${url} answers ${status}`, {
    status,
    url,
    ...(problem ? { problem: problem.type, members: problem } : {}),
    ...(seconds > 0 ? { retryAfterMs: seconds * 1000 } : {}),
  })
}

/** There is no answer, or none that means anything. */
export function noAnswer(url: string, reason: string, cause?: unknown): ApiError {
  return new ApiError(`${url}: ${reason}`, { status: 0, url, cause })
}

/** What `fetch` hides in the cause of its error. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message
}

async function readText(response: Response, limit: number): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.length
    if (length > limit) {
      await reader.cancel()
      throw new RangeError(`the answer is longer than ${limit} bytes`)
    }
    text += decoder.decode(read.value, { stream: true })
  }
  return text + decoder.decode()
}

function parseProblem(text: string) {
  try {
    return checked(problemSchema, JSON.parse(text)).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
