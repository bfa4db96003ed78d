import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import { parseCid } from '@hexachord/protocol/cids'
import type { StoredBlock, Usage } from '../ipfs-node.ts'

/**
 * Which blocks this node keeps in a Kubo, and when each was last put: Kubo knows neither. A row is there before its
 * block is and goes after it, so that nothing of ours is ever in Kubo without a row. The other way round a crash
 * may leave a row without its block: a scrub or a collection puts that right.
 */
export type HeldBlocks = {
  get(cid: string): HeldBlock | undefined
  /** Makes the row, or counts the block as put at `storedAtMs`. */
  keep(cid: string, bytes: number, storedAtMs: number): void
  drop(cid: string): void
  /** Up to `limit` blocks after the one with the digest `after`, by digest. */
  page(after: Uint8Array, limit: number): (HeldBlock & { digest: Uint8Array })[]
  usage(): Usage
}

export type HeldBlock = StoredBlock & { readonly storedAtMs: number }

export const heldBlocksMigration: Migration = {
  name: 'ipfs-2-blocks-in-kubo',
  sql: `
    CREATE TABLE ipfs_held_block (
      digest BLOB PRIMARY KEY,
      cid TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      stored_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ipfs_store (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      backend TEXT NOT NULL,
      peer_id TEXT NOT NULL
    ) STRICT;
  `,
}

const columns = 'digest, cid, bytes, stored_at AS storedAtMs'

export function createHeldBlocks(database: Sqlite): HeldBlocks {
  const digestOf = (cid: string) => parseCid(cid).digest
  // Counted once: a sum over millions of rows is too slow for who asks before each offer.
  const sum = database.get<{ blocks: number; bytes: number }>(
    'SELECT count(*) AS blocks, coalesce(sum(bytes), 0) AS bytes FROM ipfs_held_block',
  ) ?? { blocks: 0, bytes: 0 }
  const get = (cid: string) =>
    database.get<HeldBlock>(`SELECT ${columns} FROM ipfs_held_block WHERE digest = ?`, digestOf(cid))

  return {
    get,
    keep(cid, bytes, storedAtMs) {
      if (get(cid) === undefined) {
        sum.blocks += 1
        sum.bytes += bytes
      }
      database.run(
        'INSERT INTO ipfs_held_block (digest, cid, bytes, stored_at) VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET stored_at = excluded.stored_at',
        digestOf(cid),
        cid,
        bytes,
        storedAtMs,
      )
    },
    drop(cid) {
      const row = get(cid)
      if (row === undefined) return
      database.run('DELETE FROM ipfs_held_block WHERE digest = ?', digestOf(cid))
      sum.blocks -= 1
      sum.bytes -= row.bytes
    },
    page: (after, limit) =>
      database.all<HeldBlock & { digest: Uint8Array }>(
        `SELECT ${columns} FROM ipfs_held_block WHERE digest > ? ORDER BY digest LIMIT ?`,
        after,
        limit,
      ),
    usage: () => ({ ...sum }),
  }
}
