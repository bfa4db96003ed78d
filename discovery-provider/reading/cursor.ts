import { Problem } from '@hexachord/platform/http'
import { checked } from '@hexachord/protocol/checked'
import * as z from 'zod'

/** How every list is asked for. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number<string>().int().min(1).max(100).default(20),
  cursor: z.string().max(300).optional(),
})
export type PageQuery = z.output<typeof pageQuery>

/** Sort key of lists by time: ms, and an id where times are equal. */
export const timeKey = z.tuple([
  z.int(),
  z
    .string()
    .max(200)
    .refine((id) => !id.includes('\0')),
])

/** Where a page begins that follows the cursor: the first one begins at the end of time. */
export function placeBefore(cursor: string | undefined): readonly [atMs: number, id: string] {
  return cursor === undefined ? [Number.MAX_SAFE_INTEGER, ''] : decodeCursor(timeKey, cursor)
}

/** Where a page ended, as an opaque word for its reader: the sort key of its last row. */
export function encodeCursor(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

/** Inverse of {@link encodeCursor}. @throws Problem 400 for anything that it cannot have made */
export function decodeCursor<Key extends z.ZodType>(key: Key, cursor: string): z.output<Key> {
  const parsed = checked(key, jsonOf(Buffer.from(cursor, 'base64url').toString()))
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
