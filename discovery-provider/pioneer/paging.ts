import type { List } from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { PageQuery } from '../reading/cursor.ts'

const largestPage = 100
/** Lists end here for who counts from their beginning; `/v1` goes on by cursors. */
const deepest = 1_000

/** Apps send what the pioneer takes; what means nothing here is not looked at, and too much is taken for the most there is. */
const whole = (fallback: number, maximum: number) =>
  z.coerce
    .number<string>()
    .int()
    .min(0)
    .default(fallback)
    .transform((number) => Math.min(number, maximum))

/** What every request may carry. */
export const appQuery = z.object({
  /** Who asks; nobody has to say so, and it is not looked at. */
  app_name: z.union([z.string(), z.array(z.string())]).optional(),
})

export const listQuery = appQuery.extend({
  limit: whole(largestPage, largestPage),
  offset: whole(0, deepest),
})
export type Slice = Pick<z.output<typeof listQuery>, 'limit' | 'offset'>

/** How many rows from the beginning a page needs. */
export function rowsOf({ limit, offset }: Slice): number {
  return Math.min(offset + limit, deepest)
}

/** A page out of all rows up to its end. */
export function sliceOf<Row>(rows: readonly Row[], { limit, offset }: Slice): Row[] {
  return rows.slice(offset, offset + limit)
}

/** A page of a list that goes on by cursors, read from its beginning. */
export async function readSlice<Item>(
  slice: Slice,
  read: (page: PageQuery) => Promise<List<Item>>,
): Promise<Item[]> {
  const items: Item[] = []
  let cursor: string | undefined
  for (let asked = 0; asked < rowsOf(slice); asked += largestPage) {
    const page = await read({ limit: Math.min(largestPage, rowsOf(slice) - asked), cursor })
    items.push(...page.items)
    if (page.next === null) break
    cursor = page.next
  }
  return sliceOf(items, slice)
}
