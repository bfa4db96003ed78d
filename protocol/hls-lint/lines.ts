import { type Finding, finding } from './rules.ts'
import { type Tag, tags } from './tags.ts'

/** A line of a playlist (RFC 8216 4.1), told apart by how it begins. */
export type TagLine = {
  readonly kind: 'tag'
  readonly number: number
  readonly name: string
  /** What follows the colon; undefined without a colon. */
  readonly value: string | undefined
  /** undefined for a tag that RFC 8216 does not define. */
  readonly tag: Tag | undefined
}
export type UriLine = { readonly kind: 'uri'; readonly number: number; readonly text: string }
export type Line = TagLine | UriLine

/** Tags and URIs of a playlist in order; comments and blank lines are left out. */
export function readLines(text: string): Line[] {
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((raw, index): Line[] => {
      const number = index + 1
      const line = raw.replace(/\r$/, '')
      if (line === '') return []
      if (!line.startsWith('#')) return [{ kind: 'uri', number, text: line }]
      if (!line.startsWith('#EXT')) return []
      const colon = line.indexOf(':')
      const name = line.slice(1, colon < 0 ? undefined : colon)
      const tag = Object.hasOwn(tags, name) ? tags[name] : undefined
      return [{ kind: 'tag', number, name, value: colon < 0 ? undefined : line.slice(colon + 1), tag }]
    })
}

/** The rules for characters and for the first line. */
export function* checkText(text: string): Generator<Finding> {
  if (text.startsWith('\uFEFF')) yield finding(1, '4.1 byte-order-mark')
  if (!/^\uFEFF?#EXTM3U(\r?\n|$)/.test(text)) yield finding(1, '4.3.1.1 extm3u-first')
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '')
    const control = /\p{Cc}/u.exec(line)?.[0]
    if (control !== undefined) {
      const code = control.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
      yield finding(index + 1, '4.1 control-character', `U+${code}`)
    }
    if (!line.isWellFormed()) yield finding(index + 1, '4.1 well-formed')
    if (hasStrayWhiteSpace(line)) yield finding(index + 1, '4.1 white-space')
  }
}

function hasStrayWhiteSpace(line: string): boolean {
  const name = /^#([^:]*)/.exec(line)?.[1]
  if (name !== undefined && !Object.hasOwn(tags, name)) return false
  // A title may hold spaces, and so may a quoted string.
  const strict = line.startsWith('#EXTINF:') ? line.replace(/,.*$/u, '') : line.replace(/"[^"]*"/g, '""')
  return /\p{Zs}/u.test(strict)
}

/** The rules for URIs, wherever they stand. */
export function* checkUri(uri: string, line: number, base: string): Generator<Finding> {
  // RFC 3986 2: reserved, unreserved and percent-encoded characters.
  const isSpelledRight = /^(?:[!#$&-;=?-Z[\]_a-z~]|%[0-9A-Fa-f]{2})+$/.test(uri)
  if (!isSpelledRight || !URL.canParse(uri, base)) yield finding(line, '4.1 uri', `'${uri.slice(0, 100)}'`)
}
