import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { ArchiveEntry } from '@hexachord/protocol/archives'

/** For a node's one database. */
export const archiveMigrations: readonly Migration[] = [
  {
    name: 'archives-1',
    sql: `
      CREATE TABLE archive (
        epoch INTEGER PRIMARY KEY,
        from_block INTEGER NOT NULL,
        to_block INTEGER NOT NULL,
        root TEXT NOT NULL UNIQUE,
        state_hash TEXT NOT NULL,
        logs INTEGER NOT NULL,
        byte_length INTEGER NOT NULL
      ) STRICT;
      -- The last block of whose epoch it is known whether there is an archive.
      CREATE TABLE archive_progress (one INTEGER PRIMARY KEY CHECK (one = 1), block INTEGER NOT NULL) STRICT;
    `,
  },
]

/** Which archives this node holds. */
export type ArchiveStore = {
  /** The last block of the last epoch that was looked at; undefined before the first. */
  progress(): number | undefined
  last(): ArchiveEntry | undefined
  holds(root: string): boolean
  /** Oldest first, behind an epoch. */
  page(after: number, limit: number): ArchiveEntry[]
  /** Notes that an epoch has been dealt with, and its archive, if it has one. */
  advance(block: number, archive?: ArchiveEntry): void
}

const columns =
  'epoch, from_block AS fromBlock, to_block AS toBlock, root, state_hash AS stateHash, logs, byte_length AS byteLength'

export function createArchiveStore(database: Sqlite): ArchiveStore {
  return {
    progress: () => database.get<{ block: number }>('SELECT block FROM archive_progress')?.block,
    last: () => database.get<ArchiveEntry>(`SELECT ${columns} FROM archive ORDER BY epoch DESC LIMIT 1`),
    holds: (root) => database.get('SELECT 1 FROM archive WHERE root = ?', root) !== undefined,
    page: (after, limit) =>
      database.all<ArchiveEntry>(
        `SELECT ${columns} FROM archive WHERE epoch > ? ORDER BY epoch LIMIT ?`,
        after,
        limit,
      ),
    advance(block, archive) {
      database.transaction(() => {
        if (archive !== undefined) {
          database.run(
            'INSERT INTO archive (epoch, from_block, to_block, root, state_hash, logs, byte_length) VALUES (?, ?, ?, ?, ?, ?, ?)',
            archive.epoch,
            archive.fromBlock,
            archive.toBlock,
            archive.root,
            archive.stateHash,
            archive.logs,
            archive.byteLength,
          )
        }
        database.run(
          'INSERT INTO archive_progress (one, block) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET block = excluded.block',
          block,
        )
      })
    },
  }
}
