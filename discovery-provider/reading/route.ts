import { Problem, parse } from '@hexachord/platform/http'
import type { Express } from 'express'
import * as z from 'zod'
import { isDatabaseAway } from '../indexing/index.ts'
import { type Freshness, sendJson } from './send-json.ts'

/** One route of the API: what it takes, what it answers, and how. The same description makes the handler and
 * the OpenAPI document. */
export type Route = {
  /** As Express writes it, `/v1/tracks/:id`. */
  readonly path: string
  readonly summary: string
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly answers: Answers
  readonly answer: (request: unknown) => Promise<Answer>
}

/** By status; a schema where the body is JSON of ours, none where it has no body or a problem's. */
export type Answers = Readonly<
  Record<
    number,
    {
      readonly description: string
      readonly schema?: z.ZodType
      /** Of the schema among the components of the OpenAPI document. */
      readonly name?: string
    }
  >
>

export type Answer =
  | { readonly body: unknown; readonly freshness: Freshness }
  /** Whose answer is somewhere else. */
  | { readonly location: string }

const nothing = z.strictObject({})

/** Types a route: its handler gets what its schemas make of the request. */
export function route<
  Params extends z.ZodObject = typeof nothing,
  Query extends z.ZodObject = typeof nothing,
>(definition: {
  path: string
  summary: string
  params?: Params
  query?: Query
  answers: Answers
  answer(request: { params: z.output<Params>; query: z.output<Query> }): Promise<Answer>
}): Route {
  const { params = nothing, query = nothing, answer, ...rest } = definition
  return { ...rest, params, query, answer: answer as Route['answer'] }
}

/** Requests that do not fit a route's schemas are answered with problem 400, and with 503 while the database is away. */
export function serveRoutes(app: Express, routes: readonly Route[]): void {
  for (const { path, params, query, answer } of routes) {
    app.get(path, async (request, response) => {
      const asked = { params: parse(params, request.params), query: parse(query, request.query) }
      const result = await answer(asked).catch((cause: unknown) => {
        throw isDatabaseAway(cause) ? databaseAway(cause) : cause
      })
      if ('location' in result) response.set('Cache-Control', 'no-store').redirect(302, result.location)
      else sendJson(request, response, result.body, result.freshness)
    })
  }
}

function databaseAway(cause: unknown): Problem {
  return new Problem({
    status: 503,
    slug: 'database-away',
    detail: 'the database does not answer, or not in time; try again in a few seconds',
    headers: { 'Retry-After': '5' },
    cause,
  })
}
