import { createHash } from 'node:crypto'
import type { Database } from '../reading/entity.ts'
import type { OpenApiDocument } from '../reading/openapi.ts'
import { type Route, route } from '../reading/route.ts'
import { documentationPage, style } from './page.ts'
import { realExamples, withRealExamples } from './real-examples.ts'

/** The page is text and one style sheet of its own: it loads nothing, runs nothing, and needs no other host. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** `/docs`: the API for people to read, with examples from this catalogue.
 * @param document asked for when the page is first read, since it tells of this route too
 * @param now ms */
export function documentationRoute(
  document: () => OpenApiDocument,
  { database, now }: { database: Database; now: () => number },
): Route {
  let page: string | undefined
  return route({
    path: '/docs',
    summary: 'This API for people to read',
    answers: { 200: { description: 'HTML', type: 'text/html; charset=utf-8' } },
    async answer() {
      page ??= documentationPage(document())
      return {
        text: withRealExamples(page, await realExamples(database, now())),
        type: 'text/html; charset=utf-8',
        freshness: 'checked',
        headers: { 'Content-Security-Policy': policy },
      }
    },
  })
}
