import { copyRows, type Postgres, type Statements } from '@hexachord/platform/postgres'

/** Leaves word of tracks, or of what may be some, whose scores may be otherwise. */
export async function noteRankable(
  database: Pick<Postgres, 'query'>,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return
  await database.query('INSERT INTO ranking_change (track) SELECT * FROM unnest($1::text[])', [
    [...new Set(names)],
  ])
}

/** The same of many at once, in the transaction that changes them. */
export async function noteManyRankable(client: Statements, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const rows = [...new Set(names)].map((name) => [name])
  await copyRows(client, 'ranking_change', ['track'], rows)
}

/** Leaves word that the scores of all tracks may be otherwise, also of those that are gone.
 * @param tracks the table that will be read from now on */
export async function noteAllRankable(database: Statements, tracks: string): Promise<void> {
  await database.query(
    `INSERT INTO ranking_change (track) SELECT track FROM ranked UNION SELECT id FROM ${tracks}`,
  )
}
