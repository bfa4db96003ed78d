import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { BlockRoot } from '@hexachord/protocol/storage-root'
import { nextState, type UploadEvent, type UploadState } from './states.ts'
import type { Upload } from './upload.ts'

/** A block of an upload, in the order in which blocks came to be. */
export type UploadBlock = { readonly cid: string; readonly byteLength: number; readonly root: BlockRoot }

/** Fields that an event or step changes; the store keeps name, version, state and times itself. */
export type UploadChange = Partial<Omit<Upload, 'id' | 'version' | 'state' | 'createdAtMs' | 'changedAtMs'>>

/** Uploads and their blocks in SQLite. Every change is durable when a call returns. */
export type UploadStore = {
  /** Adds an upload in state `receiving`. */
  add(upload: Upload): void
  get(id: string): Upload | undefined
  /**
   * Changes an upload whose state stays as it is, and adds blocks to its list; those that it has are left out.
   * @param change undefined leaves the upload alone
   * @returns what it is now; undefined when there is none
   */
  change(
    id: string,
    change: (upload: Upload) => UploadChange | undefined,
    blocks?: readonly UploadBlock[],
  ): Upload | undefined
  /** Changes state, and what goes with it. @throws WrongState, and RangeError when there is no such upload */
  apply(id: string, event: UploadEvent, change?: (upload: Upload) => UploadChange): Upload
  inState(...states: readonly UploadState[]): Upload[]
  countByState(): Partial<Record<UploadState, number>>
  /** Bytes that uploads have been promised room for and not sent yet. */
  outstandingBytes(): number
  /** Blocks after the `after`th, at most `limit`. */
  blocks(id: string, after: number, limit: number): UploadBlock[]
  blockCount(id: string): number
  /** Forgets an upload and its list of blocks. */
  remove(id: string): void
  /** Uploads with this manifest that this node still holds, newest first. */
  byManifest(manifest: string): Upload[]
  /** Uploads in the order of their names, after one, at most `limit`. */
  page(after: string, limit: number): Upload[]
  /** Calls after each change. @returns a function that ends it */
  onChange(listener: (id: string) => void): () => void
}

export const uploadMigrations: readonly Migration[] = [
  {
    name: 'uploads-1',
    sql: `
      CREATE TABLE upload (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        manifest TEXT,
        -- bytes still to come
        outstanding INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        document TEXT NOT NULL
      ) STRICT;
      CREATE INDEX upload_by_state ON upload (state, changed_at);
      CREATE INDEX upload_by_manifest ON upload (manifest) WHERE manifest IS NOT NULL;
      CREATE TABLE upload_block (
        upload TEXT NOT NULL REFERENCES upload (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        cid TEXT NOT NULL,
        byte_length INTEGER NOT NULL,
        root TEXT NOT NULL,
        leaf_count INTEGER NOT NULL,
        PRIMARY KEY (upload, place),
        UNIQUE (upload, cid)
      ) STRICT, WITHOUT ROWID;
    `,
  },
]

type BlockRow = { cid: string; byteLength: number; root: string; leafCount: number }

/** @param now ms since 1970 */
export function createUploadStore(database: Sqlite, now: () => number): UploadStore {
  const listeners = new Set<(id: string) => void>()

  function get(id: string): Upload | undefined {
    const row = database.get<{ document: string }>('SELECT document FROM upload WHERE id = ?', id)
    return row === undefined ? undefined : (JSON.parse(row.document) as Upload)
  }

  function write(upload: Upload): void {
    const outstanding = upload.state === 'receiving' ? upload.byteLength - upload.receivedBytes : 0
    database.run(
      `INSERT INTO upload (id, state, manifest, outstanding, changed_at, document) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, manifest = excluded.manifest,
         outstanding = excluded.outstanding, changed_at = excluded.changed_at, document = excluded.document`,
      upload.id,
      upload.state,
      upload.released ? null : (upload.track?.manifest ?? null),
      outstanding,
      upload.changedAtMs,
      JSON.stringify(upload),
    )
  }

  function append(id: string, blocks: readonly UploadBlock[]): void {
    let place = blockCount(id)
    for (const { cid, byteLength, root } of blocks) {
      const { changes } = database.run(
        `INSERT INTO upload_block (upload, place, cid, byte_length, root, leaf_count) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (upload, cid) DO NOTHING`,
        id,
        place + 1,
        cid,
        byteLength,
        root.root,
        root.leafCount,
      )
      place += changes
    }
  }

  function blockCount(id: string): number {
    const row = database.get<{ place: number | null }>(
      'SELECT max(place) AS place FROM upload_block WHERE upload = ?',
      id,
    )
    return row?.place ?? 0
  }

  function tell(id: string): void {
    for (const listener of listeners) listener(id)
  }

  function changed(upload: Upload, change: UploadChange, state: UploadState): Upload {
    return { ...upload, ...change, state, version: upload.version + 1, changedAtMs: now() }
  }

  return {
    add(upload) {
      database.transaction(() => write(upload))
    },
    get,
    change(id, change, blocks = []) {
      const result = database.transaction(() => {
        const upload = get(id)
        if (upload === undefined) return undefined
        const wanted = change(upload)
        if (wanted === undefined) return upload
        const next = changed(upload, wanted, upload.state)
        write(next)
        append(id, blocks)
        return next
      })
      if (result !== undefined) tell(id)
      return result
    },
    apply(id, event, change = () => ({})) {
      const result = database.transaction(() => {
        const upload = get(id)
        if (upload === undefined) throw new RangeError(`there is no upload ${id}`)
        const next = changed(upload, change(upload), nextState(upload.state, event))
        write(next)
        return next
      })
      tell(id)
      return result
    },
    inState: (...states) =>
      states.flatMap((state) =>
        database
          .all<{ document: string }>('SELECT document FROM upload WHERE state = ? ORDER BY changed_at', state)
          .map(({ document }) => JSON.parse(document) as Upload),
      ),
    countByState: () =>
      Object.fromEntries(
        database
          .all<{ state: UploadState; count: number }>(
            'SELECT state, count(*) AS count FROM upload GROUP BY state',
          )
          .map(({ state, count }) => [state, count]),
      ),
    outstandingBytes: () =>
      database.get<{ bytes: number }>('SELECT coalesce(sum(outstanding), 0) AS bytes FROM upload')?.bytes ??
      0,
    blocks: (id, after, limit) =>
      database
        .all<BlockRow>(
          `SELECT cid, byte_length AS byteLength, root, leaf_count AS leafCount FROM upload_block
           WHERE upload = ? AND place > ? ORDER BY place LIMIT ?`,
          id,
          after,
          limit,
        )
        .map(({ cid, byteLength, root, leafCount }) => ({
          cid,
          byteLength,
          root: { root: root as `0x${string}`, leafCount, byteLength },
        })),
    blockCount,
    remove(id) {
      database.transaction(() => database.run('DELETE FROM upload WHERE id = ?', id))
      tell(id)
    },
    byManifest: (manifest) =>
      database
        .all<{ document: string }>(
          'SELECT document FROM upload WHERE manifest = ? ORDER BY changed_at DESC',
          manifest,
        )
        .map(({ document }) => JSON.parse(document) as Upload),
    page: (after, limit) =>
      database
        .all<{ document: string }>(
          'SELECT document FROM upload WHERE id > ? ORDER BY id LIMIT ?',
          after,
          limit,
        )
        .map(({ document }) => JSON.parse(document) as Upload),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
