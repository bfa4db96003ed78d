import { hash } from 'node:crypto'
import type { Request, Response } from 'express'

/** How long an answer may be used without asking again. `checked`: never, but an unchanged one is not sent twice;
 * so that everyone reads what they have just written. `brief`: some seconds, as scores take to be reckoned. `recent`: some minutes. `settled`: it can change no more. `never`:
 * it is for who asked. */
export type Freshness = 'checked' | 'brief' | 'recent' | 'settled' | 'never'

const cacheControl: Readonly<Record<Freshness, string>> = {
  checked: 'public, no-cache',
  brief: 'public, max-age=5',
  recent: 'public, max-age=300',
  settled: 'public, max-age=86400',
  never: 'no-store',
}

/** A text as it goes out. */
export type Sent = {
  /** In UTF-8 already where it is sent more than once. */
  readonly text: string | Uint8Array
  readonly type: string
  readonly freshness: Freshness
  /** @default made from the text */
  readonly tag?: string
}

/** The strong ETag of a text. */
export function tagOf(text: Sent['text']): string {
  return `"${hash('sha256', text, 'base64url').slice(0, 27)}"`
}

/** Answers with JSON under a strong ETag, or 304 to a reader who has it. */
export function sendJson(request: Request, response: Response, body: unknown, freshness: Freshness): void {
  sendText(request, response, { text: JSON.stringify(body), type: 'application/json', freshness })
}

/** As {@link sendJson} any text. Past Express, whose own sending looks all of this up once more. */
export function sendText(
  request: Request,
  response: Response,
  { text, type, freshness, tag = tagOf(text) }: Sent,
): void {
  response.setHeader('ETag', tag).setHeader('Cache-Control', cacheControl[freshness])
  if (hasAlready(request, tag)) {
    response.status(304).end()
    return
  }
  response
    .setHeader('Content-Type', type.includes('charset=') ? type : `${type}; charset=utf-8`)
    .setHeader('Content-Length', typeof text === 'string' ? Buffer.byteLength(text) : text.byteLength)
    .end(text)
}

/** RFC 9110 13.1.2, by weak comparison. Express's own test heeds `Cache-Control: no-cache`, which fetch adds to
 * every conditional request; but we are the origin, and what has this tag is unchanged. */
function hasAlready(request: Request, tag: string): boolean {
  const given = request.headers['if-none-match']
  if (given === undefined) return false
  const tags = given.split(',').map((one) => one.trim().replace(/^W\//, ''))
  return tags.includes(tag) || tags.includes('*')
}
