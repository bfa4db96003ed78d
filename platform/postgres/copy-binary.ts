import type { Draft } from './copy-draft.ts'
import { type CopyValue, withoutNul } from './copy-text.ts'

/** What a column is in the database, and with it what its values are here: numbers for `bigint` and `integer`, numbers or
 * bigints that are whole and not negative for `numeric`, texts for `text` and `json`, and for `bytea` bytes, or their hex
 * digits behind `0x`: in one text, or in several that are joined. */
export type CopyType = 'bigint' | 'integer' | 'numeric' | 'text' | 'json' | 'bytea'

/** PostgreSQL 18, COPY, "Binary Format": the signature, no flags, no extension. */
const header = Uint8Array.from([...Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), ...Array<number>(8).fill(0)])
const trailer = -1
const nullLength = -1

export function beginBinary(draft: Draft): void {
  draft.writeBytes(header)
}

export function endBinary(draft: Draft): void {
  draft.writeInt16(trailer)
}

/** @throws TypeError for a value that is none of its column's type */
export function writeBinaryRow(draft: Draft, types: readonly CopyType[], row: readonly CopyValue[]): void {
  draft.writeInt16(types.length)
  for (let place = 0; place < types.length; place += 1) {
    const value = row[place]
    if (value === null || value === undefined) draft.writeInt32(nullLength)
    else if (!writeValue(draft, types[place], value)) {
      throw new TypeError(`a column of the type ${types[place]} was given ${typeof value} ${String(value)}`)
    }
  }
}

/** @returns whether it is one of that type */
function writeValue(draft: Draft, type: CopyType | undefined, value: CopyValue): boolean {
  switch (type) {
    case 'text':
    case 'json':
      if (typeof value !== 'string') return false
      draft.writeCountedText(withoutNul(value))
      return true
    case 'bigint':
      if (!Number.isSafeInteger(value)) return false
      draft.writeCountedInt64(value as number)
      return true
    case 'integer':
      if (typeof value !== 'number' || value !== (value | 0)) return false
      draft.writeInt32(4)
      draft.writeInt32(value)
      return true
    case 'numeric':
      if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return false
      if ((value as bigint | number) < 0) return false
      writeNumeric(draft, String(value))
      return true
    default:
      return writeBytea(draft, value)
  }
}

function writeBytea(draft: Draft, value: CopyValue): boolean {
  if (value instanceof Uint8Array) {
    draft.writeInt32(value.length)
    draft.writeBytes(value)
    return true
  }
  const parts = Array.isArray(value) ? value : [value]
  if (!parts.every((part) => typeof part === 'string' && part.startsWith('0x'))) return false
  draft.writeCountedHex(parts.map((part) => part.slice(2)))
  return true
}

/** Decimal digits in each digit of the server's own. */
const groupDigits = 4

/** The server's own digits, how many stand behind the first before the point, no sign, none behind the point. Its zeros
 * at the end are left out. */
function writeNumeric(draft: Draft, decimal: string): void {
  const significant = decimal.replace(/0+$/, '')
  const groups = Math.ceil(decimal.length / groupDigits)
  const first = decimal.length - groupDigits * (groups - 1)
  const kept = significant === '' ? 0 : Math.ceil((significant.length - first) / groupDigits) + 1
  draft.writeInt32(8 + 2 * kept)
  draft.writeInt16(kept)
  draft.writeInt16(groups - 1)
  draft.writeInt32(0)
  for (let group = 0; group < kept; group += 1) {
    const end = first + groupDigits * group
    draft.writeInt16(Number(decimal.slice(Math.max(0, end - groupDigits), end)))
  }
}
