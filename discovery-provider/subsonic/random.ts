import type { Database } from '../reading/entity.ts'

/** Of more than are wanted some are taken, since neighbours in random order are always the same. */
const surplus = 4
const maximumWindow = 2_000

/** Some ids of a table in which every row has a place `dice` from 0 to 1: a walk along its index from anywhere.
 * @param genre only of this genre
 * @param fits those taken from what the walk brings, by when they were published (ms) */
export async function sampleIds(
  database: Database,
  {
    table,
    count,
    genre,
    fits = () => true,
  }: {
    table: 'shelf_song' | 'shelf_album'
    count: number
    genre?: string | undefined
    fits?: (createdAtMs: number) => boolean
  },
): Promise<string[]> {
  const { text, values } = sampleQuery(table, Math.min(maximumWindow, count * surplus), genre, Math.random())
  const { rows } = await database.query<{ id: string; created_at_ms: number }>(text, values)
  return shuffled(rows.filter((row) => fits(row.created_at_ms)).map(({ id }) => id)).slice(0, count)
}

/** Its plan is held to the index by a test. @param start from 0 to 1 */
export function sampleQuery(
  table: 'shelf_song' | 'shelf_album',
  rows: number,
  genre: string | undefined,
  start: number,
): { text: string; values: unknown[] } {
  const values: unknown[] = [rows, start]
  const ofGenre = genre === undefined ? '' : `AND genre_words = search_words($${values.push(genre)})`
  const walk = (direction: '>=' | '<') =>
    `(SELECT id, created_at_ms FROM ${table} WHERE dice ${direction} $2 ${ofGenre} ORDER BY dice LIMIT $1)`
  return { text: `${walk('>=')} UNION ALL ${walk('<')} LIMIT $1`, values }
}

/** Fisher and Yates. */
export function shuffled<Item>(items: readonly Item[]): Item[] {
  const rest = [...items]
  const order: Item[] = []
  while (rest.length > 0) order.push(...rest.splice(Math.floor(Math.random() * rest.length), 1))
  return order
}
