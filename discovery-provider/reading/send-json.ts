import { createHash } from 'node:crypto'
import type { Request, Response } from 'express'

/** How long an answer may be used without asking again. `checked`: never, but an unchanged one is not sent twice;
 * so that everyone reads what they have just written. `settled`: it can change no more. */
export type Freshness = 'checked' | 'settled'

const cacheControl: Readonly<Record<Freshness, string>> = {
  checked: 'public, no-cache',
  settled: 'public, max-age=86400',
}

/** Answers with JSON under a strong ETag, or 304 to a reader who has it. */
export function sendJson(request: Request, response: Response, body: unknown, freshness: Freshness): void {
  const text = JSON.stringify(body)
  const tag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 27)}"`
  response.set({ ETag: tag, 'Cache-Control': cacheControl[freshness] })
  if (hasAlready(request, tag)) response.status(304).end()
  else response.type('application/json').send(text)
}

/** RFC 9110 13.1.2, by weak comparison. Express's own test heeds `Cache-Control: no-cache`, which fetch adds to
 * every conditional request; but we are the origin, and what has this tag is unchanged. */
function hasAlready(request: Request, tag: string): boolean {
  const tags = (request.get('if-none-match') ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''))
  return tags.includes(tag) || tags.includes('*')
}
