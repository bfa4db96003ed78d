import { Problem, parse } from '@hexachord/platform/http'
import { type SessionReport, tillJson } from '@hexachord/protocol/payments'
import express, { type Request, type Response } from 'express'
import type { z } from 'zod'

/** 64 lines in hex, and what stands around them. */
const bodyBytes = 16 * 1024

/** Reads a body as it is: browsers send text without asking first. */
export const readText = express.text({ type: () => true, limit: bodyBytes })

/** A message of a listener; JSON by its name has been read already. @throws Problem 400 */
export function bodyOf<Schema extends z.ZodType>(
  { body }: Pick<Request, 'body'>,
  schema: Schema,
): z.output<Schema> {
  if (typeof body !== 'string') return parse(schema, body)
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (cause) {
    throw new Problem({ status: 400, slug: 'malformed-json', detail: 'the body is not JSON', cause })
  }
  return parse(schema, value)
}

export function sendReport(response: Response, status: number, report: SessionReport): void {
  response
    .status(status)
    .set({ 'Cache-Control': 'no-store', 'Content-Type': 'application/json' })
    .send(Buffer.from(tillJson(report)))
}

export function unknownSession(): Problem {
  const detail = 'the session is unknown here, or has ended: open another'
  return new Problem({ status: 404, slug: 'unknown-session', detail })
}
