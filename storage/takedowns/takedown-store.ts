import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import { parseCid } from '@hexachord/protocol/cids'
import type { Subject } from '@hexachord/protocol/names'

/** For a service's one database: run these before `createTakedowns`. */
export const takedownMigrations: readonly Migration[] = [
  {
    name: 'takedowns-1',
    sql: `
      CREATE TABLE takedown_root (
        id INTEGER PRIMARY KEY,
        track TEXT NOT NULL,
        manifest TEXT NOT NULL,
        -- whether all blocks of the manifest are known, or only itself
        complete INTEGER NOT NULL,
        UNIQUE (track, manifest)
      ) STRICT;
      CREATE TABLE takedown_block (
        digest BLOB NOT NULL,
        root INTEGER NOT NULL REFERENCES takedown_root (id) ON DELETE CASCADE,
        PRIMARY KEY (digest, root)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX takedown_block_by_root ON takedown_block (root);
    `,
  },
]

/** Which blocks tracks have that were taken down; it stays when the blocks themselves are gone. */
export type TakedownStore = {
  /** Tracks of which something is noted. */
  tracks(): Subject[]
  rootsOf(track: Subject): { manifest: string; complete: boolean }[]
  /** Notes a manifest of a track with the digests of its blocks; those noted before stay. */
  note(root: { track: Subject; manifest: string; complete: boolean }, digests: Iterable<Uint8Array>): void
  /** Forgets what is noted of a track. */
  remove(track: Subject): void
  /** Tracks that a block is noted for. */
  tracksWith(cid: string): Subject[]
  isNoted(cid: string): boolean
  isEmpty(): boolean
  /** Digests noted for a track, behind one, in their order. */
  page(track: Subject, after: Uint8Array, limit: number): Uint8Array[]
}

export function createTakedownStore(database: Sqlite): TakedownStore {
  const digestOf = (cid: string) => parseCid(cid).digest
  const isEmpty = () => database.get('SELECT 1 FROM takedown_root LIMIT 1') === undefined

  return {
    tracks: () =>
      database
        .all<{ track: Subject }>('SELECT DISTINCT track FROM takedown_root ORDER BY track')
        .map(({ track }) => track),
    rootsOf: (track) =>
      database
        .all<{ manifest: string; complete: 0 | 1 }>(
          'SELECT manifest, complete FROM takedown_root WHERE track = ?',
          track,
        )
        .map(({ manifest, complete }) => ({ manifest, complete: complete === 1 })),
    note({ track, manifest, complete }, digests) {
      database.transaction(() => {
        database.run(
          `INSERT INTO takedown_root (track, manifest, complete) VALUES (?, ?, ?)
           ON CONFLICT (track, manifest) DO UPDATE SET complete = max(complete, excluded.complete)`,
          track,
          manifest,
          complete ? 1 : 0,
        )
        const root = database.get<{ id: number }>(
          'SELECT id FROM takedown_root WHERE track = ? AND manifest = ?',
          track,
          manifest,
        )
        if (root === undefined) return
        for (const digest of [digestOf(manifest), ...digests]) {
          database.run(
            'INSERT INTO takedown_block (digest, root) VALUES (?, ?) ON CONFLICT DO NOTHING',
            digest,
            root.id,
          )
        }
      })
    },
    remove(track) {
      database.run('DELETE FROM takedown_root WHERE track = ?', track)
    },
    tracksWith: (cid) =>
      database
        .all<{ track: Subject }>(
          `SELECT DISTINCT track FROM takedown_block JOIN takedown_root ON takedown_root.id = root
           WHERE digest = ? ORDER BY track LIMIT 16`,
          digestOf(cid),
        )
        .map(({ track }) => track),
    isNoted: (cid) =>
      database.get('SELECT 1 FROM takedown_block WHERE digest = ? LIMIT 1', digestOf(cid)) !== undefined,
    isEmpty,
    page: (track, after, limit) =>
      database
        .all<{ digest: Uint8Array }>(
          `SELECT DISTINCT digest FROM takedown_block JOIN takedown_root ON takedown_root.id = root
           WHERE track = ? AND digest > ? ORDER BY digest LIMIT ?`,
          track,
          after,
          limit,
        )
        .map(({ digest }) => digest),
  }
}
