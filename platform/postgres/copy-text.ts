import type { Draft } from './copy-draft.ts'

/**
 * What a column can be given. Bytes become `bytea`, a Date `timestamptz`, an array a Postgres array, any other object
 * JSON. JSON whose top is an array must come as its text.
 */
export type CopyValue =
  | null
  | undefined
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | readonly CopyValue[]
  | { readonly [key: string]: unknown }

const tab = 0x09
const lineEnd = 0x0a

/** In the text format of COPY. */
export function writeTextRow(draft: Draft, row: readonly CopyValue[]): void {
  for (let place = 0; place < row.length; place += 1) {
    draft.write(fieldOf(row[place]))
    draft.end(place < row.length - 1 ? tab : lineEnd)
  }
}

/** One value; NULL is `\\N`, so a backslash is always doubled. */
function fieldOf(value: CopyValue): string {
  if (typeof value === 'number') return String(value)
  // Hardly any text has such a character, and to look is several times as fast as to replace.
  if (typeof value === 'string' && !/[\\\n\r\t\0]/.test(value)) return value
  if (value === null || value === undefined) return '\\N'
  return textOf(value).replaceAll(/[\\\n\r\t]/g, escapeCharacter)
}

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  if (character === '\t') return '\\t'
  return '\\\\'
}

function textOf(value: Exclude<CopyValue, null | undefined>): string {
  if (typeof value === 'string') return withoutNul(value)
  if (typeof value !== 'object') return String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return `\\x${hexOf(value)}`
  if (isArray(value)) return `{${value.map(arrayElement).join(',')}}`
  return withoutNul(JSON.stringify(value))
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** `Array.isArray` does not narrow read-only arrays. */
function isArray(value: object): value is readonly CopyValue[] {
  return Array.isArray(value)
}

function arrayElement(value: CopyValue): string {
  if (value === null || value === undefined) return 'NULL'
  if (Array.isArray(value)) return textOf(value)
  const text = textOf(value)
  return /["\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"` : `"${text}"`
}

/** @throws TypeError */
export function withoutNul(text: string): string {
  if (text.includes('\0'))
    throw new TypeError('Postgres cannot store a NUL character in text; remove it before')
  return text
}
