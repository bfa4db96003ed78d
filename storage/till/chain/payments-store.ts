import type { ChainEvent } from '@hexachord/platform/chain'
import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Address, Hash } from '@hexachord/protocol/names'
import { LRUCache } from 'lru-cache'
import type { ChannelTotals } from '../payments-view.ts'
import { decodePaymentLog, type PaymentEvent } from './payment-logs.ts'
import { channelAfter, emptyChannel, type TrackTerms, termsAfter } from './payment-rules.ts'

/** For a node's one database. */
export const paymentsMigrations: readonly Migration[] = [
  {
    name: 'payments-1',
    sql: `
      CREATE TABLE payments_progress (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        source TEXT NOT NULL,
        indexed INTEGER NOT NULL,
        finalized INTEGER NOT NULL,
        timestamp INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE payments_block (
        number INTEGER PRIMARY KEY,
        hash TEXT NOT NULL,
        timestamp INTEGER NOT NULL,
        -- What its logs changed, as it was before.
        undo TEXT NOT NULL
      ) STRICT;
      CREATE TABLE payments_entry (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'payments-2',
    sql: `
      CREATE INDEX payments_change ON payments_entry (json_extract(value, '$.change.effectiveAt'))
        WHERE json_extract(value, '$.change.effectiveAt') IS NOT NULL;
    `,
  },
]

/** What a range of blocks, or a reorganisation, changed. */
export type PaymentsChange = { channels: { payer: Address; key: Address }[]; tracks: Hash[] }

/** Channels and terms in SQLite, and what is needed to take back blocks that are not final. */
export type PaymentsStore = {
  /** `timestamp` (unix seconds) is the last indexed block's. */
  progress(): { indexed: number; finalized: number; timestamp: number }
  /** Newest first. */
  blocks(): { number: number; hash: string }[]
  channel(payer: Address, key: Address): ChannelTotals
  /** As of the newest final block. */
  finalChannel(payer: Address, key: Address): ChannelTotals
  track(track: Hash): TrackTerms | undefined
  /** Up to `limit` tracks with terms behind one, in the order of their names. */
  tracks(after: Hash | undefined, limit: number): Hash[]
  /** Tracks whose terms change after one time and at another at the latest (unix seconds). */
  changing(after: number, until: number): Hash[]
  /** Adds a range in one transaction. */
  append(range: Extract<ChainEvent, { type: 'range' }>): PaymentsChange
  /** Takes back every block above one, in one transaction. */
  undoTo(block: number): PaymentsChange
}

/** Channels and tracks that are asked about again and again stay in memory. */
const entriesKept = 32_768

type Entry = ChannelTotals | TrackTerms

/** What was read from other contracts, or for another operator, is forgotten and read anew.
 * @param source tells apart whose payments these are */
export function openPaymentsStore(
  database: Sqlite,
  { source, firstBlock }: { source: string; firstBlock: number },
): PaymentsStore {
  const kept = new LRUCache<string, { entry: Entry | null }>({ max: entriesKept })
  const known = database.get<{ source: string }>('SELECT source FROM payments_progress')
  if (known?.source !== source) {
    database.transaction(() => {
      for (const table of ['payments_progress', 'payments_block', 'payments_entry']) {
        database.run(`DELETE FROM ${table}`)
      }
      database.run(
        'INSERT INTO payments_progress (one, source, indexed, finalized, timestamp) VALUES (1, ?, ?, 0, 0)',
        ...[source, firstBlock - 1],
      )
    })
  }

  function read(key: string): Entry | null {
    const found = kept.get(key)
    if (found !== undefined) return found.entry
    const row = database.get<{ value: string }>('SELECT value FROM payments_entry WHERE key = ?', key)
    const entry = row === undefined ? null : parse(row.value)
    kept.set(key, { entry })
    return entry
  }

  function write(key: string, value: string | null): void {
    kept.delete(key)
    if (value === null) database.run('DELETE FROM payments_entry WHERE key = ?', key)
    else {
      database.run(
        'INSERT INTO payments_entry (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
        ...[key, value],
      )
    }
  }

  /** What blocks that are not final have changed, as it was before them; undefined where it has to be read anew. */
  let finalEntries: Map<string, string | null> | undefined

  function readFinalEntries(): Map<string, string | null> {
    const entries = new Map<string, string | null>()
    const blocks = database.all<{ undo: string }>(
      `SELECT undo FROM payments_block
       WHERE number > (SELECT finalized FROM payments_progress) AND undo <> '[]' ORDER BY number`,
    )
    for (const { undo } of blocks) {
      for (const [key, before] of JSON.parse(undo) as [string, string | null][]) {
        if (!entries.has(key)) entries.set(key, before)
      }
    }
    return entries
  }

  function readFinal(key: string): Entry | null {
    finalEntries ??= readFinalEntries()
    const before = finalEntries.get(key)
    if (before === undefined) return read(key)
    return before === null ? null : parse(before)
  }

  /** Memory must not be ahead of a transaction that failed. */
  function transaction<Result>(work: () => Result): Result {
    finalEntries = undefined
    try {
      return database.transaction(work)
    } catch (error) {
      kept.clear()
      throw error
    }
  }

  const channel = (payer: Address, key: Address) =>
    (read(channelKey(payer, key)) ?? emptyChannel) as ChannelTotals
  const finalChannel = (payer: Address, key: Address) =>
    (readFinal(channelKey(payer, key)) ?? emptyChannel) as ChannelTotals
  const track = (id: Hash) => (read(trackKey(id)) ?? undefined) as TrackTerms | undefined

  function after(event: PaymentEvent, timestamp: number): { key: string; entry: Entry } {
    if ('payer' in event) {
      const { payer, key } = event
      return { key: channelKey(payer, key), entry: channelAfter(channel(payer, key), event) }
    }
    return { key: trackKey(event.track), entry: termsAfter(track(event.track), event, timestamp) }
  }

  return {
    progress: () =>
      database.get('SELECT indexed, finalized, timestamp FROM payments_progress') ?? {
        ...{ indexed: firstBlock - 1, finalized: 0, timestamp: 0 },
      },
    blocks: () => database.all('SELECT number, hash FROM payments_block ORDER BY number DESC'),
    channel,
    finalChannel,
    track,
    tracks: (after, limit) =>
      database
        .all<{ key: string }>(
          `SELECT key FROM payments_entry WHERE key > ? AND key < 'track!' ORDER BY key LIMIT ?`,
          ...[after === undefined ? 'track ' : trackKey(after), limit],
        )
        .map(({ key }) => key.slice('track '.length) as Hash),
    changing: (after, until) =>
      database
        .all<{ key: string }>(
          `SELECT key FROM payments_entry WHERE json_extract(value, '$.change.effectiveAt') > ?
             AND json_extract(value, '$.change.effectiveAt') <= ?`,
          ...[after, until],
        )
        .map(({ key }) => key.slice('track '.length) as Hash),
    append({ toBlock, finalized, logs, blocks }) {
      const changed = new Set<string>()
      const byBlock = Map.groupBy(logs, ({ blockNumber }) => blockNumber)
      transaction(() => {
        for (const { number, hash, timestamp } of blocks) {
          const undo = new Map<string, string | null>()
          for (const log of byBlock.get(number) ?? []) {
            const event = decodePaymentLog(log)
            if (event === undefined) continue
            const { key, entry } = after(event, timestamp)
            const before = read(key)
            if (!undo.has(key)) undo.set(key, before === null ? null : format(before))
            write(key, format(entry))
            changed.add(key)
          }
          database.run(
            'INSERT INTO payments_block (number, hash, timestamp, undo) VALUES (?, ?, ?, ?)',
            ...[number, hash, timestamp, JSON.stringify([...undo])],
          )
        }
        // The newest final block stays: following goes on from it.
        database.run(
          'DELETE FROM payments_block WHERE number < (SELECT max(number) FROM payments_block WHERE number <= ?)',
          finalized,
        )
        database.run(
          'UPDATE payments_progress SET indexed = ?, finalized = max(finalized, ?), timestamp = ?',
          ...[toBlock, finalized, blocks.at(-1)?.timestamp ?? 0],
        )
      })
      return changeOf(changed)
    },
    undoTo(block) {
      const changed = new Set<string>()
      transaction(() => {
        const undone = database.all<{ undo: string }>(
          'SELECT undo FROM payments_block WHERE number > ? ORDER BY number DESC',
          block,
        )
        for (const { undo } of undone) {
          for (const [key, before] of JSON.parse(undo) as [string, string | null][]) {
            write(key, before)
            changed.add(key)
          }
        }
        database.run('DELETE FROM payments_block WHERE number > ?', block)
        database.run(
          `UPDATE payments_progress SET indexed = min(indexed, ?),
             timestamp = coalesce((SELECT timestamp FROM payments_block ORDER BY number DESC LIMIT 1), 0)`,
          block,
        )
      })
      return changeOf(changed)
    },
  }
}

const channelKey = (payer: Address, key: Address) => `channel ${payer} ${key}`
const trackKey = (track: Hash) => `track ${track}`

function changeOf(keys: ReadonlySet<string>): PaymentsChange {
  const names = [...keys].map((key) => key.split(' '))
  return {
    channels: names.flatMap(([kind, payer, key]) =>
      kind === 'channel' ? [{ payer: payer as Address, key: key as Address }] : [],
    ),
    tracks: names.flatMap(([kind, track]) => (kind === 'track' ? [track as Hash] : [])),
  }
}

/** JSON in which amounts, which pass 2^53, are strings that end in n. */
function format(entry: Entry): string {
  return JSON.stringify(entry, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
}

function parse(text: string): Entry {
  return JSON.parse(text, (_, value) =>
    typeof value === 'string' && value.endsWith('n') ? BigInt(value.slice(0, -1)) : value,
  )
}
