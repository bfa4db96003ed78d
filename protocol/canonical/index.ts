/**
 * Canonical JSON: keys sorted by code unit, no white space, safe integers only. What is signed or hashed as
 * JSON has exactly one spelling, so that no two parsers can disagree about it (the shape of RFC 8785,
 * without its floating-point rules: there are no fractions here).
 */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

/** A value that has no canonical JSON form, or a text that is not in it. */
export class CanonicalError extends Error {
  override readonly name = 'CanonicalError'
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Deepest nesting. Without a bound, the size of a machine's stack would decide whether a text is accepted. */
const maximumDepth = 32

/** Members whose value is undefined are left out.
 * @throws CanonicalError on fractions, unsafe integers, halves of surrogate pairs, nesting deeper than 32 */
export function toCanonicalJson(value: Json): string {
  // The engine's own writer is several times as fast, and writes the same where nothing has to be sorted or refused.
  return isInForm(value, 0) ? JSON.stringify(value) : write(value, 0)
}

/** Parses a text that must be canonical JSON to the last byte. @throws CanonicalError */
export function parseCanonicalJson(text: string): Json {
  let value: Json
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new CanonicalError('not JSON', { cause })
  }
  if (toCanonicalJson(value) !== text) {
    throw new CanonicalError('not canonical: sort the keys, leave out white space, use integers only')
  }
  return value
}

/** UTF-8 bytes of the canonical JSON of a value. */
export function encodeCanonicalJson(value: Json): Uint8Array {
  return encoder.encode(toCanonicalJson(value))
}

/** Inverse of {@link encodeCanonicalJson}. @throws CanonicalError */
export function decodeCanonicalJson(bytes: Uint8Array): Json {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch (cause) {
    throw new CanonicalError('not UTF-8', { cause })
  }
  return parseCanonicalJson(text)
}

/** Whether all keys are in order and nothing is without a canonical form. */
function isInForm(value: Json | undefined, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (value === null || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || depth === maximumDepth) return false
  if (isArray(value)) {
    for (const item of value) if (!isInForm(item, depth + 1)) return false
    return true
  }
  let last = ''
  for (const key of Object.keys(value)) {
    if (key < last || !key.isWellFormed()) return false
    last = key
    const member = value[key]
    if (member !== undefined && !isInForm(member, depth + 1)) return false
  }
  return true
}

function write(value: Json, depth: number): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw new CanonicalError(`${value} is not a safe integer; write large numbers as decimal strings`)
    }
    return String(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new CanonicalError('a string holds half of a surrogate pair')
    return JSON.stringify(value)
  }
  if (depth === maximumDepth) throw new CanonicalError(`nested more than ${maximumDepth} deep`)
  if (isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`
  let members = ''
  // By code unit, whatever the locale (ECMA-262 SortCompare), so that every machine sorts alike.
  for (const key of Object.keys(value).sort()) {
    const member = value[key]
    if (member === undefined) continue
    members += `${members === '' ? '' : ','}${write(key, depth)}:${write(member, depth + 1)}`
  }
  return `{${members}}`
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
