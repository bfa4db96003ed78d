import { Problem, parse } from '@hexachord/platform/http'
import type { Express, Response } from 'express'
import * as z from 'zod'
import { isDatabaseAway } from '../indexing/index.ts'
import { keepAnswers } from './kept-answers.ts'
import { type Freshness, type Sent, sendText, tagOf } from './send-json.ts'

export type Method = 'get' | 'post' | 'delete'

/** One route of the API: what it takes, what it answers, and how. The same description makes the handler and
 * the OpenAPI document. */
export type Route = {
  readonly method: Method
  /** As Express writes it, `/v1/tracks/:id`. */
  readonly path: string
  readonly summary: string
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  /** What the header `Authorization` must carry, where the route is for whom it names. */
  readonly signed?: Signed
  readonly answers: Answers
  readonly answer: (request: unknown) => Promise<Answer>
  /** Whether its answer is the same for everybody and may be as old as {@link keptMs}. */
  readonly kept?: boolean
}

/** Less than a reader's cache may keep a brief answer for. */
const keptMs = 1_000

/** Answers that are kept: some 30 kB each. */
const keptAtMost = 500

/** A signed message: one that stands for its account until it expires, or one that makes one app password. */
export type Signed = 'token' | 'app-password'

/** By status; a schema where the body is JSON of ours, none where it has no body or a problem's. */
export type Answers = Readonly<
  Record<
    number,
    {
      readonly description: string
      readonly schema?: z.ZodType
      /** Of the schema among the components of the OpenAPI document. */
      readonly name?: string
      /** Media type of a body that is a text and no JSON of ours. */
      readonly type?: string
    }
  >
>

export type Answer =
  /** @default status 200 */
  | { readonly body: unknown; readonly freshness: Freshness; readonly status?: number }
  /** JSON that is a text already, in UTF-8, with its {@link tagOf}. */
  | { readonly json: Uint8Array; readonly tag: string; readonly freshness: Freshness }
  /** A text of another type, with headers of its own; null takes one away that every answer has. */
  | {
      readonly text: string
      readonly type: string
      readonly freshness: Freshness
      readonly headers?: Readonly<Record<string, string | null>>
    }
  /** Whose answer is somewhere else; `duplicates` are further places of the very same bytes, or of the same thing. */
  | { readonly location: string; readonly duplicates?: readonly string[] }

/** Who asks: the header `Authorization`, and the address behind our own proxies. */
export type Caller = { readonly authorization: string | undefined; readonly address: string | undefined }

const nothing = z.strictObject({})

/** Types a route: its handler gets what its schemas make of the request. */
export function route<
  Params extends z.ZodObject = typeof nothing,
  Query extends z.ZodObject = typeof nothing,
>(definition: {
  /** @default get */
  method?: Method
  path: string
  summary: string
  params?: Params
  query?: Query
  signed?: Signed
  answers: Answers
  kept?: boolean
  answer(request: { params: z.output<Params>; query: z.output<Query> } & Caller): Promise<Answer>
}): Route {
  const { method = 'get', params = nothing, query = nothing, answer, ...rest } = definition
  return { ...rest, method, params, query, answer: answer as Route['answer'] }
}

/** Requests that do not fit a route's schemas are answered with problem 400, and with 503 while the database is away. */
export function serveRoutes(app: Express, routes: readonly Route[]): void {
  const keep = keepAnswers<Rendered>({ forMs: keptMs, atMost: keptAtMost, now: Date.now })
  for (const { method, path, params, query, answer, kept } of routes) {
    app[method](path, async (request, response) => {
      const make = async () => {
        const asked = {
          params: parse(params, request.params),
          query: parse(query, request.query),
          authorization: request.get('authorization'),
          address: request.ip,
        }
        return rendered(await answer(asked).catch(orDatabaseAway))
      }
      const result = kept === true ? await keep(request.originalUrl, make) : await make()
      if ('location' in result) redirect(response, result)
      else {
        setHeaders(response, result.headers ?? {})
        sendText(request, response.status(result.status ?? 200), result)
      }
    })
  }
}

type Rendered =
  | Extract<Answer, { location: string }>
  | (Sent & { readonly status?: number; readonly headers?: Readonly<Record<string, string | null>> })

function rendered(answer: Answer): Rendered {
  if ('location' in answer) return answer
  if ('text' in answer) return { ...answer, tag: tagOf(answer.text) }
  // To hash and to send a text each take it into UTF-8 once more.
  const text = 'json' in answer ? answer.json : Buffer.from(JSON.stringify(answer.body))
  const { freshness } = answer
  const status = 'status' in answer ? answer.status : 200
  const tag = 'tag' in answer ? answer.tag : tagOf(text)
  return { text, tag, type: 'application/json', freshness, status }
}

function setHeaders(response: Response, headers: Readonly<Record<string, string | null>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) response.removeHeader(name)
    else response.set(name, value)
  }
}

/** RFC 6249 3: mirrors of what an answer leads to, in the order in which they are to be tried. */
function redirect(
  response: Response,
  { location, duplicates = [] }: Extract<Answer, { location: string }>,
): void {
  const links = duplicates.map((url, place) => `<${new URL(url).href}>; rel=duplicate; pri=${place + 1}`)
  if (links.length > 0) response.set('Link', links.join(', '))
  response.set('Cache-Control', 'no-store').redirect(302, location)
}

/** For what fails while it reads. @throws Problem 503 while the database is away, else the cause itself */
export function orDatabaseAway(cause: unknown): never {
  if (!isDatabaseAway(cause)) throw cause
  throw new Problem({
    status: 503,
    slug: 'database-away',
    detail: 'the database does not answer, or not in time; try again in a few seconds',
    headers: { 'Retry-After': '5' },
    cause,
  })
}
