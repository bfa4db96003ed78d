import { Problem } from '@hexachord/platform/http'
import type * as z from 'zod'

/** Where a page ended, as an opaque word for its reader: the sort key of its last row. */
export function encodeCursor(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

/** Inverse of {@link encodeCursor}. @throws Problem 400 for anything that it cannot have made */
export function decodeCursor<Key extends z.ZodType>(key: Key, cursor: string): z.output<Key> {
  const parsed = key.safeParse(jsonOf(Buffer.from(cursor, 'base64url').toString()))
  if (parsed.success) return parsed.data
  throw new Problem({
    status: 400,
    slug: 'invalid-cursor',
    detail: 'cursor: must be the `next` of an earlier page of this list, unchanged',
  })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** One page out of rows of which one more than the page was asked for. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  itemOf: (row: Row) => Item,
  keyOf: (row: Row) => readonly (string | number)[],
): { items: Item[]; next: string | null } {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const next = rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null
  return { items: shown.map(itemOf), next }
}
