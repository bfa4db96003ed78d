import type { Postgres, PostgresClient } from '@hexachord/platform/postgres'
import { otherBeside } from '../projections/beside-version.ts'
import { projections } from '../projections/project.ts'
import { changeTallies, countStoredRows } from '../projections/tallies.ts'

/** A counter that is not what a count of the rows comes to. */
export type Drift = {
  readonly subject: string
  readonly what: string
  readonly stored: number
  readonly counted: number
}

/** Rows that are read at once. */
const batchRows = 5_000

/** So many are repaired in one night; more are a fault that needs a rebuild. */
const mostDrifts = 1_000

/** Counts everything anew, batch by batch, and compares it with the counters of the same moment: the index may grow
 * meanwhile.
 * @returns some of the counters that have drifted, all if they are few
 * @throws the signal's reason */
export function findDrift(postgres: Postgres, signal: AbortSignal): Promise<Drift[]> {
  return postgres.transaction(
    async (client) => {
      await client.query('CREATE TEMPORARY TABLE recount (LIKE public.tally INCLUDING ALL) ON COMMIT DROP')
      for (const projection of projections) {
        if (projection.tallies === undefined) continue
        for (let after: string | undefined = ''; after !== undefined; ) {
          signal.throwIfAborted()
          const place: Parameters<typeof countStoredRows>[2] = { into: 'recount', after, rows: batchRows }
          const counted = await countStoredRows(client, projection, place)
          after = counted?.last
        }
      }
      // Or each batch of the comparison might read the whole of it.
      await client.query('ANALYZE recount')
      const missing = await differences(client, 'recount', 'tally', signal)
      const others = await differences(client, 'tally', 'recount', signal)
      const drifts = new Map<string, Drift>()
      for (const { subject, what, one, other } of missing) {
        drifts.set(`${subject} ${what}`, { subject, what, stored: other, counted: one })
      }
      for (const { subject, what, one, other } of others) {
        drifts.set(`${subject} ${what}`, { subject, what, stored: one, counted: other })
      }
      return [...drifts.values()].slice(0, mostDrifts)
    },
    { isolation: 'repeatable read' },
  )
}

/** Counters go up and down by what changes, so that what one was off by it still is, however the index has grown since.
 * One at a time: the index, which changes several at once, cannot end in a deadlock with it. */
export async function repairDrift(postgres: Postgres, drifts: readonly Drift[]): Promise<void> {
  for (const { subject, what, stored, counted } of drifts) {
    await postgres.transaction(async (client) => {
      await changeTallies(client, 'tally', [{ subject, what, by: counted - stored }])
      await client.query(otherBeside)
    })
  }
}

type Difference = { subject: string; what: string; one: number; other: number }

/** Counters of one table that are others in another one, in which they may be missing. */
async function differences(
  client: PostgresClient,
  table: string,
  against: string,
  signal: AbortSignal,
): Promise<Difference[]> {
  const found: Difference[] = []
  let after = ['', '']
  while (found.length < mostDrifts) {
    signal.throwIfAborted()
    const { rows } = await client.query<Difference>(
      `SELECT o.subject, o.what, o.total AS one, coalesce(a.total, 0) AS other
       FROM (
         SELECT * FROM ${table} WHERE (subject, what) > ($1, $2) ORDER BY subject, what LIMIT ${batchRows}
       ) AS o
       LEFT JOIN ${against} AS a ON a.subject = o.subject AND a.what = o.what
       ORDER BY o.subject, o.what`,
      after,
    )
    const last = rows.at(-1)
    if (last === undefined) break
    found.push(...rows.filter(({ one, other }) => one !== other))
    after = [last.subject, last.what]
  }
  return found
}
