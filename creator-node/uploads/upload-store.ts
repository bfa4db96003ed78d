import { isDatabaseFull, type Migration, type Sqlite } from '@hexachord/platform/sqlite'
import type { Address, Subject } from '@hexachord/protocol/names'
import type { BlockRoot } from '@hexachord/protocol/storage-root'
import { nextState, type UploadEvent, type UploadState } from './states.ts'
import type { Upload } from './upload.ts'

/** A block of an upload, in the order in which blocks came to be. */
export type UploadBlock = { readonly cid: string; readonly byteLength: number; readonly root: BlockRoot }

/** Fields that an event or step changes; the store keeps name, version, state and times itself. */
export type UploadChange = Partial<Omit<Upload, 'id' | 'version' | 'state' | 'createdAtMs' | 'changedAtMs'>>

/** What decides whose turn it is. */
export type QueuedUpload = { readonly id: string; readonly account: Address }

/** Uploads and their blocks in SQLite. Every change is durable when a call returns. */
export type UploadStore = {
  /** Adds an upload in its first state, perhaps with the blocks that it has already. */
  add(upload: Upload, blocks?: readonly UploadBlock[]): void
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
  /**
   * As `change`, for progress that nobody would miss after a crash: everybody sees it at once, and the disk has it
   * within half a second, since each commit makes the whole process wait for a sync.
   */
  note(id: string, change: (upload: Upload) => UploadChange | undefined): void
  /** Changes state, and what goes with it. @throws WrongState, and RangeError when there is no such upload */
  apply(id: string, event: UploadEvent, change?: (upload: Upload) => UploadChange): Upload
  inState(...states: readonly UploadState[]): Upload[]
  countByState(): Partial<Record<UploadState, number>>
  /** Uploads that have not ended; of one account, or of all. */
  countOpen(account?: Address): number
  /** Uploads that wait for their turn, longest waiting first. */
  queue(): QueuedUpload[]
  /** Uploads of files of this length whose track is complete and held here, newest first. */
  madeOf(byteLength: number): Upload[]
  /** Bytes that uploads have been promised room for and not sent yet. */
  outstandingBytes(): number
  /** Blocks after the `after`th, at most `limit`. */
  blocks(id: string, after: number, limit: number): UploadBlock[]
  blockCount(id: string): number
  /** Forgets an upload and its list of blocks. */
  remove(id: string): void
  /** Uploads with this manifest that this node still holds, newest first. */
  byManifest(manifest: string): Upload[]
  /** Those for a track, in no particular order. */
  bySubject(subject: Subject): Upload[]
  /** Uploads in the order of their names, after one, at most `limit`. */
  page(after: string, limit: number): Upload[]
  /** Calls after each change. @returns a function that ends it */
  onChange(listener: (id: string) => void): () => void
  /** Writes what is only noted yet, if the disk has room for it. */
  close(): void
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
  {
    name: 'uploads-2',
    sql: `
      ALTER TABLE upload ADD COLUMN account TEXT NOT NULL DEFAULT '';
      -- of the source, once its track is complete and while its blocks are here
      ALTER TABLE upload ADD COLUMN made_of INTEGER;
      UPDATE upload SET account = json_extract(document, '$.account'),
        made_of = iif(manifest IS NULL, NULL, json_extract(document, '$.byteLength'));
      CREATE INDEX upload_by_account ON upload (account, state);
      CREATE INDEX upload_by_source ON upload (made_of) WHERE made_of IS NOT NULL;
    `,
  },
  {
    name: 'uploads-3',
    sql: "CREATE INDEX upload_by_subject ON upload (json_extract(document, '$.subject'));",
  },
]

/** States in which there is something left to do: see `hasEnded`. */
const openStates = "('receiving', 'queued', 'processing', 'replicating')"

/** Between two writes of what is only noted. */
const noteMs = 500

/** Uploads of one length that are looked through for the same file: of files of audio hardly two have it by chance. */
const sameLengthLimit = 100

type BlockRow = { cid: string; byteLength: number; root: string; leafCount: number }

/** @param now ms since 1970 */
export function createUploadStore(database: Sqlite, now: () => number): UploadStore {
  const listeners = new Set<(id: string) => void>()
  /** Newer than what the database has. */
  const noted = new Map<string, Upload>()
  let writing: NodeJS.Timeout | undefined

  function get(id: string): Upload | undefined {
    const upload = noted.get(id)
    if (upload !== undefined) return upload
    const row = database.get<{ document: string }>('SELECT document FROM upload WHERE id = ?', id)
    return row === undefined ? undefined : (JSON.parse(row.document) as Upload)
  }

  function writeNoted(): void {
    clearTimeout(writing)
    writing = undefined
    if (noted.size === 0) return
    database.transaction(() => {
      for (const upload of noted.values()) write(upload)
    })
    noted.clear()
  }

  /** Without room on the disk it is kept in memory until there is some. */
  function writeNotedLater(): void {
    writing ??= setTimeout(() => {
      try {
        writeNoted()
      } catch (error) {
        if (!isDatabaseFull(error)) throw error
        writeNotedLater()
      }
    }, noteMs).unref()
  }

  function write(upload: Upload): void {
    const outstanding = upload.state === 'receiving' ? upload.byteLength - upload.receivedBytes : 0
    const manifest = upload.released ? null : (upload.track?.manifest ?? null)
    database.run(
      `INSERT INTO upload (id, state, manifest, outstanding, changed_at, document, account, made_of)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, manifest = excluded.manifest,
         outstanding = excluded.outstanding, changed_at = excluded.changed_at, document = excluded.document,
         made_of = excluded.made_of`,
      upload.id,
      upload.state,
      manifest,
      outstanding,
      upload.changedAtMs,
      JSON.stringify(upload),
      upload.account,
      manifest === null ? null : upload.byteLength,
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
    add(upload, blocks = []) {
      database.transaction(() => {
        write(upload)
        append(upload.id, blocks)
      })
      tell(upload.id)
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
      if (result === undefined) return undefined
      if (result !== noted.get(id)) noted.delete(id)
      tell(id)
      return result
    },
    note(id, change) {
      const upload = get(id)
      const wanted = upload && change(upload)
      if (upload === undefined || wanted === undefined) return
      noted.set(id, changed(upload, wanted, upload.state))
      writeNotedLater()
      tell(id)
    },
    apply(id, event, change = () => ({})) {
      const result = database.transaction(() => {
        const upload = get(id)
        if (upload === undefined) throw new RangeError(`there is no upload ${id}`)
        const next = changed(upload, change(upload), nextState(upload.state, event))
        write(next)
        return next
      })
      noted.delete(id)
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
    countOpen(account) {
      const count =
        account === undefined
          ? database.get<{ count: number }>(
              `SELECT count(*) AS count FROM upload WHERE state IN ${openStates}`,
            )
          : database.get<{ count: number }>(
              `SELECT count(*) AS count FROM upload WHERE account = ? AND state IN ${openStates}`,
              account,
            )
      return count?.count ?? 0
    },
    queue: () =>
      database.all<QueuedUpload>(
        "SELECT id, account FROM upload WHERE state = 'queued' ORDER BY changed_at, id",
      ),
    madeOf: (byteLength) =>
      database
        .all<{ document: string }>(
          'SELECT document FROM upload WHERE made_of = ? ORDER BY changed_at DESC LIMIT ?',
          byteLength,
          sameLengthLimit,
        )
        .map(({ document }) => JSON.parse(document) as Upload),
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
      noted.delete(id)
      tell(id)
    },
    byManifest: (manifest) =>
      database
        .all<{ document: string }>(
          'SELECT document FROM upload WHERE manifest = ? ORDER BY changed_at DESC',
          manifest,
        )
        .map(({ document }) => JSON.parse(document) as Upload),
    bySubject: (subject) =>
      database
        .all<{ document: string }>(
          "SELECT document FROM upload WHERE json_extract(document, '$.subject') = ?",
          subject,
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
    close() {
      clearTimeout(writing)
      try {
        writeNoted()
      } catch (error) {
        if (!isDatabaseFull(error)) throw error
      }
    },
  }
}
