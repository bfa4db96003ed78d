import { STATUS_CODES } from 'node:http'
import type { z } from 'zod'

/** What a refused request is answered with: RFC 9457 problem details. */
export type ProblemDetails = {
  type: string
  title: string
  status: number
  detail?: string
  instance?: string
  [member: string]: unknown
}

/** Where problem types live. RFC 9457 3.1.1 allows a URI that is only a name. */
const typePrefix = 'urn:hexachord:problem:'

/**
 * A request that cannot be served, thrown by a handler and answered as `application/problem+json`.
 * The detail is shown to the caller: it says what to do, and holds no secret.
 */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  /** Kebab-case name of the kind of problem, such as `unknown-upload`; `type` is made from it. */
  readonly slug: string
  readonly title: string
  /** Extra members of the answer, such as the allowance that was used up. */
  readonly members: Readonly<Record<string, unknown>>
  /** Extra response headers, such as Retry-After. */
  readonly headers: Readonly<Record<string, string>>

  constructor(options: {
    status: number
    detail: string
    /** @default the title in kebab-case */
    slug?: string
    /** @default the status's reason phrase */
    title?: string
    members?: Readonly<Record<string, unknown>>
    headers?: Readonly<Record<string, string>>
    cause?: unknown
  }) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = options.status
    this.title = options.title ?? STATUS_CODES[options.status] ?? 'Error'
    this.slug = options.slug ?? this.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
    this.members = options.members ?? {}
    this.headers = options.headers ?? {}
  }

  /** The answer's body; `instance` names this one occurrence. */
  details(instance?: string): ProblemDetails {
    return {
      ...this.members,
      type: typePrefix + this.slug,
      title: this.title,
      status: this.status,
      detail: this.message,
      ...(instance === undefined ? {} : { instance }),
    }
  }
}

/** Every field of `error` that is wrong, as one 400 whose `errors` name field and fault. */
export function problemOfZodError(error: z.core.$ZodError): Problem {
  const errors = error.issues.map((issue) => ({
    path: issue.path.map(String).join('.'),
    detail: issue.message,
  }))
  const detail = errors.map(({ path, detail }) => (path === '' ? detail : `${path}: ${detail}`)).join('; ')
  return new Problem({
    status: 400,
    slug: 'invalid-request',
    title: 'Invalid request',
    detail,
    members: { errors },
    cause: error,
  })
}

/**
 * Checks what came from outside against `schema`.
 * @throws Problem 400 with each field that is wrong
 */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = safely(schema, value)
  if (result.success) return result.data
  throw problemOfZodError(result.error)
}

/** Zod measures what has a `length` before it looks whether that is text or a list, and throws where the length is an
 * object that cannot become a number. @throws Problem 400 for that */
function safely<Schema extends z.ZodType>(schema: Schema, value: unknown) {
  try {
    return schema.safeParse(value)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    const detail = 'an object stands where the length of a text or of a list is expected'
    throw new Problem({ status: 400, slug: 'invalid-request', title: 'Invalid request', detail, cause })
  }
}
