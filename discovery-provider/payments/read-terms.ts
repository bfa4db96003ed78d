import { Problem } from '@hexachord/platform/http'
import type { Address, Subject } from '@hexachord/protocol/names'
import {
  type Currency,
  type TermsHistory,
  type TermsInForce,
  type TrackTerms,
  termsHistorySchema,
} from '@hexachord/protocol/rest'
import * as z from 'zod'
import { decodeCursor, type PageQuery, pageOf, pageQuery } from '../reading/cursor.ts'
import { type Database, subjectParams } from '../reading/entity.ts'
import { type Route, route } from '../reading/route.ts'
import type { TermsRow } from './known-tracks.ts'

/** As {@link selectTerms} gives it. */
export type TermsColumn = {
  readonly owner: Address
  readonly token: Address
  readonly decimals: number
  /** Newest first: what waits, and what is in force. Prices as text. */
  readonly terms: readonly TermsRow[]
  readonly units: string
} | null

/** Expression for what {@link termsInForce} needs; null for a track that nobody has registered.
 * @param id SQL expression of the track's id */
export function selectTerms(id: string): string {
  return `(
    SELECT json_build_object(
      'owner', o.owner, 'token', c.token, 'decimals', c.decimals,
      'terms', (SELECT json_agg(n) FROM (
        SELECT version, unit_price::text, node_bps, curator_bps, payees, payee_bps, effective_at FROM track_terms
        WHERE track = ${id} AND dropped_block IS NULL ORDER BY version DESC LIMIT 2
      ) AS n),
      'units', (SELECT coalesce(sum(units), 0)::text FROM track_income WHERE track = ${id})
    )
    FROM payment_checkpoint c, track_owner o WHERE o.track = ${id}
    ORDER BY o.block DESC, o.log_index DESC LIMIT 1
  )`
}

/** @param nowMs the reader's clock: terms come into force by themselves */
export function termsInForce(column: TermsColumn, nowMs: number): TermsInForce | null {
  if (column === null) return null
  const { owner, token, decimals, units } = column
  const [newest, before] = column.terms.map(termsOf)
  const waits = newest !== undefined && newest.effectiveAtMs > nowMs && before !== undefined
  // Between a block and our clock the first terms may be seconds ahead.
  const inForce = waits ? before : newest
  if (inForce === undefined) return null
  return {
    ...inForce,
    owner,
    currency: { token, decimals },
    change: waits ? newest : null,
    paidUnits: units,
  }
}

function termsOf(row: TermsRow): TrackTerms {
  return {
    version: row.version,
    unitPrice: row.unit_price,
    nodeBps: row.node_bps,
    curatorBps: row.curator_bps,
    payees: row.payees.map((account, index) => ({ account, bps: row.payee_bps[index] ?? 0 })),
    effectiveAtMs: row.effective_at * 1000,
  }
}

/** What is paid with, and up to which block the books tell; no currency where there are none. */
export async function readBooks(database: Database): Promise<{ currency: Currency | null; indexed: number }> {
  const { rows } = await database.query<Currency & { indexed: number }>(
    'SELECT token, decimals, indexed FROM payment_checkpoint',
  )
  const [row] = rows
  if (row === undefined) return { currency: null, indexed: 0 }
  return { currency: { token: row.token, decimals: row.decimals }, indexed: row.indexed }
}

const historyKey = z.tuple([z.int().positive()])

type HistoryRow = TermsRow & {
  units: string | null
  paid: string | null
  earned: string | null
  distributed: string | null
}

/** Statement of a track's terms, newest first. */
export function termsQuery(id: Subject, before: number, rows: number): { text: string; values: unknown[] } {
  return {
    text: `SELECT t.version, t.unit_price, t.node_bps, t.curator_bps, t.payees, t.payee_bps, t.effective_at,
        t.dropped_block, i.units, i.paid, i.earned, i.distributed
      FROM track_terms t LEFT JOIN track_income i ON i.track = t.track AND i.version = t.version
      WHERE t.track = $1 AND t.version < $2 ORDER BY t.version DESC LIMIT $3`,
    values: [id, before, rows],
  }
}

/** @throws Problem 404 for a track that nobody has registered: it is free */
async function readHistory(
  database: Database,
  { id, limit, cursor }: PageQuery & { id: Subject },
): Promise<TermsHistory> {
  const { currency, indexed } = await readBooks(database)
  const owners = await database.query<{ owner: Address }>(
    'SELECT owner FROM track_owner WHERE track = $1 ORDER BY block DESC, log_index DESC LIMIT 1',
    [id],
  )
  const [registered] = owners.rows
  if (currency === null || registered === undefined) {
    throw new Problem({
      status: 404,
      slug: 'no-such-terms',
      detail: `nobody has set terms for ${id}: it is free, if it is in the catalogue`,
    })
  }
  const [before] = cursor === undefined ? [2 ** 31 - 1] : decodeCursor(historyKey, cursor)
  const { text, values } = termsQuery(id, before, limit + 1)
  const { rows } = await database.query<HistoryRow>(text, values)
  const page = pageOf(
    rows,
    limit,
    (row) => ({
      ...termsOf(row),
      dropped: row.dropped_block !== null,
      paidUnits: row.units ?? '0',
      paid: row.paid ?? '0',
      earned: row.earned ?? '0',
      distributed: row.distributed ?? '0',
    }),
    (row) => [row.version],
  )
  return { owner: registered.owner, currency, indexed, ...page }
}

export function termsRoutes(database: Database): Route[] {
  return [
    route({
      path: '/v1/tracks/:id/terms',
      summary: 'What a track costs and whom it pays, then and now, with what it earned; newest terms first',
      params: subjectParams,
      query: pageQuery,
      answers: {
        200: { description: 'One page of terms', name: 'TermsHistory', schema: termsHistorySchema },
        404: { description: 'Nobody has set terms: the track is free' },
      },
      async answer({ params, query }) {
        return { body: await readHistory(database, { ...params, ...query }), freshness: 'checked' }
      },
    }),
  ]
}
