import { ReorgTooDeep } from '@hexachord/platform/chain'
import { copyRows, type Postgres, type PostgresClient } from '@hexachord/platform/postgres'
import type { Subject } from '@hexachord/protocol/names'
import type { Terms } from '@hexachord/protocol/payments'
import type { ChainRange } from '../indexing/chain-records.ts'
import { IndexMoved, WrongNetwork } from '../indexing/index.ts'
import { addUp, type Sums } from './add-up.ts'
import { type KnownTrack, readKnownTracks } from './known-tracks.ts'
import { decodePaymentLog } from './payment-events.ts'
import { type PaymentEntry, readRange, tracksIn } from './read-range.ts'
import { deleteAbove, dropFinalPayments, readEntries, writeRange, writeSums } from './write-books.ts'

/** Where a network's payments are, and with what one pays; addresses in lower case. */
export type IndexedPayments = {
  readonly chainId: number
  readonly firstBlock: number
  readonly escrow: string
  readonly registry: string
  readonly token: string
  readonly decimals: number
}

/** How far the books have come. */
type Progress = { readonly indexed: number; readonly finalized: number }

/** The books of payments, written by one process at a time. They follow from the chain alone. */
export type PaymentIndex = {
  readonly progress: Progress
  /** Applies a range that begins where the index ends, in one transaction: all of it, or nothing. */
  append(range: Omit<ChainRange, 'type' | 'head'>): Promise<void>
  /** Takes all blocks above `toBlock` back, in one transaction.
   * @throws ReorgTooDeep when some of them were final */
  takeBack(toBlock: number): Promise<void>
  /** Blocks to compare with the chain, newest first. */
  knownBlocks(): Promise<{ number: number; hash: string }[]>
}

/** Opens the books in a migrated database, which must have no other writer.
 * @throws WrongNetwork when the database holds those of other contracts */
export async function openPaymentIndex(postgres: Postgres, payments: IndexedPayments): Promise<PaymentIndex> {
  let progress = await postgres.transaction((client) => openProgress(client, payments))

  return {
    get progress() {
      return progress
    },

    async append(range) {
      if (range.fromBlock !== progress.indexed + 1) {
        throw new RangeError(`the books end at ${progress.indexed}, the range begins at ${range.fromBlock}`)
      }
      const finalized = Math.max(progress.finalized, range.finalized)
      const times = new Map(range.blocks.map(({ number, timestamp }) => [number, timestamp]))
      const events = range.logs.flatMap((log) => decodePaymentLog(log, payments) ?? [])
      const next = { indexed: range.toBlock, finalized }
      await postgres.transaction(async (client) => {
        if (events.length > 0) {
          const tracks = await readKnownTracks(client, tracksIn(events))
          const read = readRange(events, tracks, (block) => timeIn(times, block))
          await writeRange(client, read, tracks, finalized)
          await writeSums(client, await sumsOf(client, read.entries, 'add', tracks))
        }
        await copyRows(
          client,
          'payment_block',
          ['number', 'hash'],
          range.blocks.map(({ number, hash }) => [number, hash]),
        )
        await dropFinalPayments(client, finalized)
        await moveProgress(client, progress, next)
      })
      progress = next
    },

    async takeBack(toBlock) {
      if (toBlock < progress.finalized && progress.indexed > toBlock) {
        throw new ReorgTooDeep(
          `the chain was reorganised down to block ${toBlock}, but payments of block ${progress.finalized} were final and can no longer be undone`,
        )
      }
      const next = { ...progress, indexed: toBlock }
      await postgres.transaction(async (client) => {
        const entries = await readEntries(client, toBlock)
        const tracks = await readKnownTracks(client, [...new Set(entries.map(({ track }) => track))])
        await writeSums(client, await sumsOf(client, entries, 'takeOff', tracks))
        await deleteAbove(client, toBlock)
        await moveProgress(client, progress, next)
      })
      progress = next
    },

    async knownBlocks() {
      const { rows } = await postgres.query<{ number: number; hash: string }>(
        'SELECT number, hash FROM payment_block ORDER BY number DESC',
      )
      return rows
    },
  }
}

async function sumsOf(
  client: PostgresClient,
  entries: readonly PaymentEntry[],
  direction: 'add' | 'takeOff',
  tracks: ReadonlyMap<Subject, KnownTrack>,
): Promise<Sums> {
  const { rows } = await client.query<{ track: Subject; version: number; earned: string }>(
    'SELECT track, version, earned FROM track_income WHERE track = ANY($1)',
    [[...new Set(entries.map(({ track }) => track))]],
  )
  const earned = new Map(rows.map((row) => [`${row.track} ${row.version}`, BigInt(row.earned)]))
  const termsOf = (track: Subject, version: number): Terms => {
    const terms = tracks.get(track)?.terms.get(version)
    if (terms === undefined) throw new Error(`the track ${track} has no terms ${version}`)
    return terms
  }
  return addUp(entries, direction, (track, version) => earned.get(`${track} ${version}`) ?? 0n, termsOf)
}

async function openProgress(client: PostgresClient, payments: IndexedPayments): Promise<Progress> {
  const { chainId, escrow, registry, token, decimals, firstBlock } = payments
  const before = firstBlock - 1
  await client.query(
    `INSERT INTO payment_checkpoint (chain_id, escrow, registry, token, decimals, indexed, finalized)
     VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING`,
    [chainId, escrow, registry, token, decimals, before],
  )
  const { rows } = await client.query<Progress & { chain_id: number; escrow: string; registry: string }>(
    'SELECT chain_id, escrow, registry, indexed, finalized FROM payment_checkpoint',
  )
  const [row] = rows
  if (row?.chain_id !== chainId || row.escrow !== escrow || row.registry !== registry) {
    throw new WrongNetwork(
      `the database holds payments of the escrow ${row?.escrow} on chain ${row?.chain_id}, but the network's is ${escrow} on chain ${chainId}: name another database in DATABASE_URL, or empty this one`,
    )
  }
  return { indexed: row.indexed, finalized: row.finalized }
}

/** Proves that nobody else has moved it, as the catalogue's checkpoint does. @throws IndexMoved */
async function moveProgress(client: PostgresClient, from: Progress, to: Progress): Promise<void> {
  const { rowCount } = await client.query(
    'UPDATE payment_checkpoint SET indexed = $1, finalized = $2 WHERE indexed = $3 AND finalized = $4',
    [to.indexed, to.finalized, from.indexed, from.finalized],
  )
  if (rowCount !== 1) throw new IndexMoved(`another process has moved payments on from block ${from.indexed}`)
}

function timeIn(times: ReadonlyMap<number, number>, block: number): number {
  const time = times.get(block)
  if (time === undefined) throw new RangeError(`the range has logs of block ${block}, but not its head`)
  return time
}
