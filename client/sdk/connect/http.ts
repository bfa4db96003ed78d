import { problemSchema } from '@hexachord/protocol/rest'
import type * as z from 'zod'

/** Longest JSON answer that the client reads. */
const maximumAnswerBytes = 8 << 20

/** `fetch` of the platform: passed in, so that tests and hosts can bring their own. */
export type Http = typeof globalThis.fetch

/** An answer that is not the one asked for. `status` is 0 when there was none at all. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly url: string
  /** Of the problem details, such as `urn:…:quota-spent`. */
  readonly problem: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    details: { status: number; url: string; problem?: string; retryAfterMs?: number; cause?: unknown },
  ) {
    super(message, { cause: details.cause })
    this.status = details.status
    this.url = details.url
    this.problem = details.problem
    this.retryAfterMs = details.retryAfterMs
  }
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
    const text = await response.text()
    if (text.length > maximumAnswerBytes) throw new ApiError(`${url} answers too much`, { status: 0, url })
    const result = schema.safeParse(JSON.parse(text))
    if (result.success) return result.data
    const issue = result.error.issues[0]
    throw new ApiError(`${url} answers in another form: ${issue?.path.join('.')} ${issue?.message}`, {
      status: response.status,
      url,
    })
  } catch (cause) {
    if (cause instanceof ApiError || signal?.aborted) throw cause
    const why = timeout.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(cause)
    throw new ApiError(`${url}: ${why}`, { status: 0, url, cause })
  }
}

/** The error that an answer with an error status stands for; reads problem details where there are some. */
export async function readProblem(response: Response, url: string): Promise<ApiError> {
  const text = (await response.text()).slice(0, 10_000)
  const problem = parseProblem(text)
  const retryAfter = Number(response.headers.get('retry-after'))
  return new ApiError(problem?.detail ?? problem?.title ?? `${url} answers ${response.status}`, {
    status: response.status,
    url,
    ...(problem ? { problem: problem.type } : {}),
    ...(retryAfter > 0 ? { retryAfterMs: retryAfter * 1000 } : {}),
  })
}

function parseProblem(text: string) {
  try {
    return problemSchema.safeParse(JSON.parse(text)).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message
}
