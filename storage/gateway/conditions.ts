import type { IncomingHttpHeaders } from 'node:http'
import parseRange from 'range-parser'

/** Whether the caller already has what `etag` names: RFC 9110 13.1.2, by weak comparison. */
export function isUnchanged(headers: IncomingHttpHeaders, etag: string): boolean {
  const known = headers['if-none-match']
  if (known === undefined) return false
  return known.trim() === '*' || known.split(',').some((item) => opaque(item.trim()) === opaque(etag))
}

/** Whether the caller wants an answer only if nobody else has to be asked for it: RFC 9111 5.2.1.7. */
export function isOnlyIfCached(headers: IncomingHttpHeaders): boolean {
  return (headers['cache-control'] ?? '')
    .toLowerCase()
    .split(',')
    .map((item) => item.trim())
    .includes('only-if-cached')
}

export type ByteRange = { readonly start: number; readonly end: number }

/**
 * The one range to answer with, both ends included. What cannot be read, more than one range, and one of another version
 * (If-Range) all mean the whole: RFC 9110 14.2 lets a server do that.
 * @returns 'unsatisfiable' for a range that lies outside, or ends before it begins
 */
export function requestedRange(
  headers: IncomingHttpHeaders,
  size: number,
  etag: string,
): ByteRange | 'whole' | 'unsatisfiable' {
  const { range, 'if-range': ifRange } = headers
  if (range === undefined || (ifRange !== undefined && ifRange !== etag)) return 'whole'
  const ranges = parseRange(size, range)
  if (ranges === -1) return 'unsatisfiable'
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return 'whole'
  const [only] = ranges
  return only === undefined ? 'whole' : { start: only.start, end: only.end }
}

function opaque(etag: string): string {
  return etag.replace(/^W\//, '')
}
