import { copyRows, type PostgresClient } from '@hexachord/platform/postgres'
import type { Subject } from '@hexachord/protocol/names'
import { otherBeside } from '../projections/beside-version.ts'
import type { Sums } from './add-up.ts'
import type { KnownTrack } from './known-tracks.ts'
import type { PaymentEntry, RangeOfPayments } from './read-range.ts'

/** Adds sums to the books. Rows in which nothing is left go, so that the books tell nothing of what was taken back. */
export async function writeSums(
  client: PostgresClient,
  { tracks, accounts, operators }: Sums,
): Promise<void> {
  if (tracks.length > 0) {
    await client.query(
      `INSERT INTO track_income AS i (track, version, units, paid, earned, distributed)
       SELECT * FROM unnest($1::text[], $2::int[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[])
       ON CONFLICT (track, version) DO UPDATE SET units = i.units + excluded.units, paid = i.paid + excluded.paid,
         earned = i.earned + excluded.earned, distributed = i.distributed + excluded.distributed`,
      columnsOf(tracks, ['track', 'version', 'units', 'paid', 'earned', 'distributed']),
    )
    await client.query(
      'DELETE FROM track_income WHERE track = ANY($1) AND paid = 0 AND earned = 0 AND distributed = 0',
      [tracks.map(({ track }) => track)],
    )
  }
  const moved = accounts.filter((sum) => sum.units !== 0n || sum.earned !== 0n || sum.distributed !== 0n)
  if (moved.length > 0) {
    await client.query(
      `INSERT INTO income AS i (account, day, track, version, share, owner, units, earned, distributed)
       SELECT * FROM unnest($1::text[], $2::date[], $3::text[], $4::int[], $5::text[], $6::text[], $7::numeric[],
         $8::numeric[], $9::numeric[])
       ON CONFLICT (account, day, track, version, share, owner) DO UPDATE SET units = i.units + excluded.units,
         earned = i.earned + excluded.earned, distributed = i.distributed + excluded.distributed`,
      columnsOf(moved, [
        ...(['account', 'day', 'track', 'version', 'share', 'owner'] as const),
        ...(['units', 'earned', 'distributed'] as const),
      ]),
    )
    await client.query('DELETE FROM income WHERE units = 0 AND earned = 0 AND distributed = 0')
  }
  if (operators.length > 0) {
    await client.query(
      `INSERT INTO operator_income AS i (operator, day, units, paid, earned)
       SELECT * FROM unnest($1::text[], $2::date[], $3::numeric[], $4::numeric[], $5::numeric[])
       ON CONFLICT (operator, day) DO UPDATE SET units = i.units + excluded.units, paid = i.paid + excluded.paid,
         earned = i.earned + excluded.earned`,
      columnsOf(operators, ['operator', 'day', 'units', 'paid', 'earned']),
    )
    await client.query('DELETE FROM operator_income WHERE operator = ANY($1) AND paid = 0', [
      operators.map(({ operator }) => operator),
    ])
  }
}

/** Rights and terms as a range has left them, and what an undo of its blocks above finality needs. */
export async function writeRange(
  client: PostgresClient,
  { owners, changed, entries }: RangeOfPayments,
  tracks: ReadonlyMap<Subject, KnownTrack>,
  finalized: number,
): Promise<void> {
  await copyRows(
    client,
    'track_owner',
    ['track', 'block', 'log_index', 'owner'],
    owners.map(({ track, block, logIndex, owner }) => [track, block, logIndex, owner]),
  )
  const terms = [...changed].flatMap((track) =>
    [...(tracks.get(track)?.terms ?? [])].map(([version, one]) => ({ track, version, ...one })),
  )
  await client.query(
    `INSERT INTO track_terms (track, version, unit_price, node_bps, curator_bps, payees, payee_bps, effective_at, block,
       dropped_block)
     SELECT track, version, unit_price, node_bps, curator_bps, payees, payee_bps, effective_at, block, dropped_block
     FROM jsonb_to_recordset($1) AS t (track text, version int, unit_price numeric, node_bps int, curator_bps int,
       payees text[], payee_bps int[], effective_at bigint, block bigint, dropped_block bigint)
     ON CONFLICT (track, version) DO UPDATE SET dropped_block = excluded.dropped_block`,
    [
      JSON.stringify(
        terms.map(({ track, version, unitPrice, nodeBps, curatorBps, payees, payeeBps, ...times }) => ({
          ...{
            track,
            version,
            unit_price: String(unitPrice),
            node_bps: nodeBps,
            curator_bps: curatorBps,
            payees,
          },
          ...{ payee_bps: payeeBps, effective_at: times.effectiveAt, block: times.block },
          dropped_block: times.droppedBlock,
        })),
      ),
    ],
  )
  if (terms.length > 0) await client.query(otherBeside)
  await copyRows(
    client,
    'payment_entry',
    ['block', 'log_index', 'place', 'entry'],
    entries
      .filter(({ block }) => block > finalized)
      .map((entry) => [entry.block, entry.logIndex, entry.place, encodeEntry(entry)]),
  )
}

/** Entries of blocks above `toBlock`, in the order of the chain. */
export async function readEntries(client: PostgresClient, toBlock: number): Promise<PaymentEntry[]> {
  const { rows } = await client.query<{ entry: string }>(
    'SELECT entry::text AS entry FROM payment_entry WHERE block > $1 ORDER BY block, log_index, place',
    [toBlock],
  )
  return rows.map(({ entry }) => decodeEntry(entry))
}

/** Removes rights, terms, entries and blocks above `toBlock`; the sums are not its business. */
export async function deleteAbove(client: PostgresClient, toBlock: number): Promise<void> {
  for (const table of ['track_owner', 'track_terms', 'payment_entry']) {
    await client.query(`DELETE FROM ${table} WHERE block > $1`, [toBlock])
  }
  await client.query('UPDATE track_terms SET dropped_block = NULL WHERE dropped_block > $1', [toBlock])
  await client.query(otherBeside)
  await client.query('DELETE FROM payment_block WHERE number > $1', [toBlock])
}

/** Drops what only an undo of final blocks would need. The newest final block stays: the next start compares it with
 * the chain. */
export async function dropFinalPayments(client: PostgresClient, finalized: number): Promise<void> {
  await client.query('DELETE FROM payment_entry WHERE block <= $1', [finalized])
  await client.query(
    'DELETE FROM payment_block WHERE number < (SELECT max(number) FROM payment_block WHERE number <= $1)',
    [finalized],
  )
}

/** Members of entries that are big integers: decimal strings in the database. */
const bigIntegers = new Set(['units', 'paid', 'nodeShare', 'curatorShare', 'trackShare', 'amount'])

function encodeEntry(entry: PaymentEntry): string {
  return JSON.stringify(entry, (key, value) => (bigIntegers.has(key) ? String(value) : value))
}

function decodeEntry(text: string): PaymentEntry {
  return JSON.parse(text, (key, value) => (bigIntegers.has(key) ? BigInt(value) : value))
}

function columnsOf<Sum extends object>(sums: readonly Sum[], names: readonly (keyof Sum)[]): string[][] {
  return names.map((name) => sums.map((sum) => String(sum[name])))
}
