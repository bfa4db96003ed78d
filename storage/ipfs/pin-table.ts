import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import { parseCid } from '@hexachord/protocol/cids'
import type { PinnedSize } from './ipfs-node.ts'
import { heldBlocksMigration } from './kubo/held-blocks.ts'

/**
 * Which roots are kept, which blocks each of them names, and which blocks are leased. A block may be named by many
 * pins; it is free when the last of them is gone. Blocks are known by digest, whatever codec their CID says.
 */
export type PinTable = {
  /** Durable when it returns. Adding a root again changes nothing. */
  add(root: string, blocks: Iterable<string>, size: PinnedSize): void
  /** @returns whether it was there */
  remove(root: string): boolean
  has(root: string): boolean
  /** Up to `limit` roots after the one numbered `after` (0 for the first), oldest first. */
  page(after: number, limit: number): { id: number; root: string }[]
  lease(cids: Iterable<string>, untilMs: number): void
  /** Whether a pin or a lease that runs past `now` names the block. */
  isNeeded(cid: string, now: number): boolean
  dropExpiredLeases(now: number): void
}

/** What pins say about blocks, read from the table directly; the same for every backend. */
export type PinnedBlocks = {
  /** Roots that are pinned and name a block, page by page. */
  rootsNaming(cid: string): Iterable<string>
  /** Digests of all blocks that a pinned root names, itself included; empty when it is not pinned. */
  digestsOf(root: string): Uint8Array[]
}

const rootsPerPage = 64

/** @param database opened with `ipfsMigrations` */
export function pinnedBlocks(database: Sqlite): PinnedBlocks {
  return {
    *rootsNaming(cid) {
      const { digest } = parseCid(cid)
      for (let after = 0; ; ) {
        const page = database.all<{ id: number; root: string }>(
          `SELECT id, root FROM ipfs_pin_block JOIN ipfs_pin ON ipfs_pin.id = pin
           WHERE digest = ? AND pin > ? ORDER BY pin LIMIT ?`,
          digest,
          after,
          rootsPerPage,
        )
        for (const { root } of page) yield root
        const last = page.at(-1)
        if (last === undefined || page.length < rootsPerPage) return
        after = last.id
      }
    },
    digestsOf: (root) =>
      database
        .all<{ digest: Uint8Array }>(
          'SELECT digest FROM ipfs_pin_block JOIN ipfs_pin ON ipfs_pin.id = pin WHERE root = ?',
          root,
        )
        .map(({ digest }) => digest),
  }
}

/** For a service that keeps its pins in its own database: run these before its own. */
export const ipfsMigrations: readonly Migration[] = [
  {
    name: 'ipfs-1-pins-and-leases',
    sql: `
      CREATE TABLE ipfs_pin (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        root TEXT NOT NULL UNIQUE,
        blocks INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        pinned_at INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE ipfs_pin_block (
        digest BLOB NOT NULL,
        pin INTEGER NOT NULL REFERENCES ipfs_pin (id) ON DELETE CASCADE,
        PRIMARY KEY (digest, pin)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX ipfs_pin_block_by_pin ON ipfs_pin_block (pin);
      CREATE TABLE ipfs_lease (
        digest BLOB PRIMARY KEY,
        until INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX ipfs_lease_by_until ON ipfs_lease (until);
    `,
  },
  heldBlocksMigration,
]

export function createPinTable(database: Sqlite, now: () => number): PinTable {
  const digestOf = (cid: string) => parseCid(cid).digest

  return {
    add(root, blocks, size) {
      database.transaction(() => {
        const { changes, lastInsertRowid } = database.run(
          'INSERT INTO ipfs_pin (root, blocks, bytes, pinned_at) VALUES (?, ?, ?, ?) ON CONFLICT (root) DO NOTHING',
          root,
          size.blocks,
          size.bytes,
          now(),
        )
        if (changes === 0) return
        for (const cid of blocks) {
          database.run(
            'INSERT INTO ipfs_pin_block (digest, pin) VALUES (?, ?) ON CONFLICT DO NOTHING',
            digestOf(cid),
            lastInsertRowid,
          )
        }
      })
    },
    remove: (root) => database.run('DELETE FROM ipfs_pin WHERE root = ?', root).changes > 0,
    has: (root) => database.get('SELECT 1 FROM ipfs_pin WHERE root = ?', root) !== undefined,
    page: (after, limit) =>
      database.all<{ id: number; root: string }>(
        'SELECT id, root FROM ipfs_pin WHERE id > ? ORDER BY id LIMIT ?',
        after,
        limit,
      ),
    lease(cids, untilMs) {
      database.transaction(() => {
        for (const cid of cids) {
          database.run(
            'INSERT INTO ipfs_lease (digest, until) VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET until = max(until, excluded.until)',
            digestOf(cid),
            untilMs,
          )
        }
      })
    },
    isNeeded(cid, at) {
      const digest = digestOf(cid)
      return (
        database.get('SELECT 1 FROM ipfs_pin_block WHERE digest = ? LIMIT 1', digest) !== undefined ||
        database.get('SELECT 1 FROM ipfs_lease WHERE digest = ? AND until > ?', digest, at) !== undefined
      )
    },
    dropExpiredLeases(at) {
      database.run('DELETE FROM ipfs_lease WHERE until <= ?', at)
    },
  }
}
