import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import type { Offer } from '@hexachord/protocol/offers'

export const offerMigrations: readonly Migration[] = [
  {
    name: 'offers-1',
    sql: `
      CREATE TABLE offer (
        id TEXT PRIMARY KEY,
        operator TEXT NOT NULL,
        subject TEXT NOT NULL,
        source TEXT NOT NULL,
        byte_limit INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pulling', 'held', 'published', 'failed', 'expired')),
        reason TEXT,
        manifest TEXT,
        cursor TEXT NOT NULL,
        listed_bytes INTEGER NOT NULL,
        stored_blocks INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX offer_by_state ON offer (state, expires_at);
      CREATE INDEX offer_by_manifest ON offer (manifest);
      CREATE TABLE offer_block (
        offer TEXT NOT NULL REFERENCES offer (id) ON DELETE CASCADE,
        cid TEXT NOT NULL,
        place INTEGER NOT NULL,
        byte_length INTEGER NOT NULL,
        root TEXT,
        leaf_count INTEGER,
        PRIMARY KEY (offer, cid)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  { name: 'offers-2-taken-at', sql: 'ALTER TABLE offer ADD COLUMN taken_at INTEGER NOT NULL DEFAULT 0' },
]

/** `published` is `held` after the track came onto the chain: the lease has become a duty. */
export type LeaseState = 'pulling' | 'held' | 'published' | 'failed' | 'expired'

/** An offer that this node has taken. */
export type Lease = {
  readonly id: Hash
  readonly operator: Address
  readonly subject: Subject
  readonly source: string
  readonly byteLimit: number
  /** Both in ms since 1970. */
  readonly takenAt: number
  readonly expiresAt: number
  readonly state: LeaseState
  /** Why it failed. */
  readonly reason: string | null
  /** Known once the source's list is complete. */
  readonly manifest: string | null
  /** Where to go on in the source's list. */
  readonly cursor: string
  /** By the source's list; what the byte limit is held against. */
  readonly listedBytes: number
  readonly storedBlocks: number
  readonly storedBytes: number
}

export type ListedBlock = { readonly cid: string; readonly byteLength: number }
export type HashedBlock = ListedBlock & { readonly root: Hash; readonly leafCount: number }

/** Leases in SQLite; what a method changed is durable when it returns. */
export type OfferStore = {
  /** Notes a new lease, taken at a time in ms. @returns false when the offer was known already */
  add(id: Hash, offer: Offer, at: number): boolean
  get(id: Hash): Lease | undefined
  inState(state: LeaseState): Lease[]
  /** Held leases that were to end at or before a time. */
  overdue(at: number): Lease[]
  /** When the next held lease ends, in ms since 1970. */
  nextExpiry(): number | undefined
  /** Adds what the source lists; blocks that are known already change nothing. */
  addListed(id: Hash, list: { blocks: readonly ListedBlock[]; cursor: string; manifest: string | null }): void
  /** In the order of the list; `root` is there for blocks that were stored. */
  listed(id: Hash): (ListedBlock & Partial<HashedBlock>)[]
  /** Notes that a listed block is stored and synced. */
  addStored(id: Hash, block: HashedBlock): void
  hold(id: Hash): void
  /** Lets a lease end at a time, if it would end later. */
  endAt(id: Hash, at: number): void
  fail(id: Hash, reason: string): void
  expire(id: Hash): void
  /** Turns the leases on a subject's manifest into duty. @returns how many there were */
  publish(subject: Subject, manifest: string): number
  /** Whether a lease that has not ended keeps a manifest, other than one. */
  keeps(manifest: string, except?: Hash): boolean
  /** The same, of leases under one name only: those to which one receipt belongs. */
  keepsAs(subject: Subject, manifest: string, except?: Hash): boolean
  /** What unpublished tracks take up or may yet take up; of one operator, or of all, in bytes. */
  leasedBytes(operator?: Address): number
  /** The same of one operator, of leases that end later than a time only. */
  leasedBytesBeyond(at: number, operator: Address): number
  /** What is promised to offers but not stored yet, in bytes. */
  outstandingBytes(): number
  count(state: LeaseState): number
  /** Forgets failed, expired and published offers that ended before a time. */
  forget(before: number): void
}

type Row = {
  id: Hash
  operator: Address
  subject: Subject
  source: string
  byte_limit: number
  taken_at: number
  expires_at: number
  state: LeaseState
  reason: string | null
  manifest: string | null
  cursor: string
  listed_bytes: number
  stored_blocks: number
  stored_bytes: number
}

const leased = `SELECT sum(CASE state WHEN 'pulling' THEN byte_limit ELSE stored_bytes END) AS total
  FROM offer WHERE state IN ('pulling', 'held')`

/** Where a source's list begins. */
const firstCursor = '0'

export function createOfferStore(database: Sqlite): OfferStore {
  const end = (id: Hash, state: LeaseState, reason: string | null) =>
    database.transaction(() => {
      database.run('UPDATE offer SET state = ?, reason = ? WHERE id = ?', state, reason, id)
      database.run('DELETE FROM offer_block WHERE offer = ?', id)
    })
  const sum = (sql: string, ...values: (string | number)[]) =>
    database.get<{ total: number | null }>(sql, ...values)?.total ?? 0

  return {
    add(id, offer, at) {
      return (
        database.run(
          `INSERT INTO offer (id, operator, subject, source, byte_limit, expires_at, state, cursor, listed_bytes, stored_blocks, stored_bytes, taken_at)
           VALUES (?, ?, ?, ?, ?, ?, 'pulling', ?, 0, 0, 0, ?) ON CONFLICT (id) DO NOTHING`,
          id,
          offer.operator,
          offer.subject,
          offer.source,
          offer.byteLimit,
          offer.expiresAt,
          firstCursor,
          at,
        ).changes > 0
      )
    },
    get(id) {
      const row = database.get<Row>('SELECT * FROM offer WHERE id = ?', id)
      return row === undefined ? undefined : leaseOf(row)
    },
    inState: (state) =>
      database.all<Row>('SELECT * FROM offer WHERE state = ? ORDER BY expires_at', state).map(leaseOf),
    overdue: (at) =>
      database.all<Row>("SELECT * FROM offer WHERE state = 'held' AND expires_at <= ?", at).map(leaseOf),
    nextExpiry: () =>
      database.get<{ at: number | null }>("SELECT min(expires_at) AS at FROM offer WHERE state = 'held'")
        ?.at ?? undefined,
    addListed(id, { blocks, cursor, manifest }) {
      database.transaction(() => {
        let place = sum('SELECT count(*) AS total FROM offer_block WHERE offer = ?', id)
        let bytes = 0
        for (const { cid, byteLength } of blocks) {
          const { changes } = database.run(
            'INSERT INTO offer_block (offer, cid, place, byte_length) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
            id,
            cid,
            place,
            byteLength,
          )
          place += changes
          bytes += changes * byteLength
        }
        database.run(
          'UPDATE offer SET cursor = ?, manifest = coalesce(?, manifest), listed_bytes = listed_bytes + ? WHERE id = ?',
          cursor,
          manifest,
          bytes,
          id,
        )
      })
    },
    listed: (id) =>
      database
        .all<{ cid: string; byte_length: number; root: Hash | null; leaf_count: number | null }>(
          'SELECT cid, byte_length, root, leaf_count FROM offer_block WHERE offer = ? ORDER BY place',
          id,
        )
        .map(({ cid, byte_length: byteLength, root, leaf_count: leafCount }) =>
          root === null || leafCount === null ? { cid, byteLength } : { cid, byteLength, root, leafCount },
        ),
    addStored(id, { cid, byteLength, root, leafCount }) {
      database.transaction(() => {
        const { changes } = database.run(
          'UPDATE offer_block SET root = ?, leaf_count = ? WHERE offer = ? AND cid = ? AND root IS NULL',
          root,
          leafCount,
          id,
          cid,
        )
        database.run(
          'UPDATE offer SET stored_blocks = stored_blocks + ?, stored_bytes = stored_bytes + ? WHERE id = ?',
          changes,
          changes * byteLength,
          id,
        )
      })
    },
    hold: (id) => end(id, 'held', null),
    endAt(id, at) {
      database.run('UPDATE offer SET expires_at = ? WHERE id = ? AND expires_at > ?', at, id, at)
    },
    fail: (id, reason) => end(id, 'failed', reason),
    expire: (id) => end(id, 'expired', null),
    publish: (subject, manifest) =>
      database.run(
        "UPDATE offer SET state = 'published' WHERE subject = ? AND manifest = ? AND state = 'held'",
        subject,
        manifest,
      ).changes,
    keeps: (manifest, except) =>
      database.get(
        "SELECT 1 FROM offer WHERE manifest = ? AND state IN ('pulling', 'held') AND id <> ? LIMIT 1",
        manifest,
        except ?? '',
      ) !== undefined,
    keepsAs: (subject, manifest, except) =>
      database.get(
        "SELECT 1 FROM offer WHERE manifest = ? AND subject = ? AND state IN ('pulling', 'held') AND id <> ? LIMIT 1",
        manifest,
        subject,
        except ?? '',
      ) !== undefined,
    leasedBytes: (operator) =>
      operator === undefined ? sum(leased) : sum(`${leased} AND operator = ?`, operator),
    leasedBytesBeyond: (at, operator) => sum(`${leased} AND operator = ? AND expires_at > ?`, operator, at),
    outstandingBytes: () =>
      sum("SELECT sum(byte_limit - stored_bytes) AS total FROM offer WHERE state = 'pulling'"),
    count: (state) => sum('SELECT count(*) AS total FROM offer WHERE state = ?', state),
    forget(before) {
      database.run(
        "DELETE FROM offer WHERE state IN ('published', 'failed', 'expired') AND expires_at < ?",
        before,
      )
    },
  }
}

function leaseOf(row: Row): Lease {
  return {
    id: row.id,
    operator: row.operator,
    subject: row.subject,
    source: row.source,
    byteLimit: row.byte_limit,
    takenAt: row.taken_at,
    expiresAt: row.expires_at,
    state: row.state,
    reason: row.reason,
    manifest: row.manifest,
    cursor: row.cursor,
    listedBytes: row.listed_bytes,
    storedBlocks: row.stored_blocks,
    storedBytes: row.stored_bytes,
  }
}
