import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Subject } from '@hexachord/protocol/names'

export const holdingMigrations: readonly Migration[] = [
  {
    name: 'holdings-1',
    sql: `
      CREATE TABLE holding (
        subject TEXT NOT NULL,
        manifest TEXT NOT NULL,
        byte_length INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('missing', 'held', 'releasing')),
        due_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        reason TEXT,
        scrubbed_at INTEGER NOT NULL,
        PRIMARY KEY (subject, manifest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX holding_by_state ON holding (state, due_at);
      CREATE INDEX holding_by_manifest ON holding (manifest);
      CREATE INDEX holding_by_scrub ON holding (state, scrubbed_at);
    `,
  },
]

/** `missing`: to be brought here. `held`: pinned, as far as known. `releasing`: no longer wanted, kept for a grace. */
export type HoldingState = 'missing' | 'held' | 'releasing'

/** A published track that is, or was, this node's duty. */
export type Holding = {
  readonly subject: Subject
  readonly manifest: string
  /** By the action that published it. */
  readonly byteLength: number
  readonly state: HoldingState
  /** When to try next (missing) or to let go (releasing), in ms since 1970. */
  readonly dueAt: number
  /** Tries in vain so far. */
  readonly attempts: number
  /** Why the last one was. */
  readonly reason: string | null
}

/** Duties in SQLite; what a method changed is durable when it returns. */
export type HoldingStore = {
  get(subject: Subject, manifest: string): Holding | undefined
  ofSubject(subject: Subject): Holding[]
  ofManifest(manifest: string): Holding[]
  /** Everything that is held, page by page. */
  held(): Iterable<Holding>
  /** Notes that blocks of something held are gone or bad. @returns whether it was held */
  damaged(holding: Holding, at: number): boolean
  /** Subjects of everything that is not being released yet, page by page. */
  subjects(): Iterable<Subject>
  put(holding: Holding): void
  remove(subject: Subject, manifest: string): void
  /** Up to `limit` whose time has come, the earliest first. */
  due(state: 'missing' | 'releasing', at: number, limit: number): Holding[]
  /** When the next one of them is due. */
  nextDueAt(state: 'missing' | 'releasing'): number | undefined
  /** The one held whose last scrub began longest ago, if that was before a time. */
  leastScrubbed(before: number): Holding | undefined
  scrubbed(holding: Holding, at: number): void
  count(state: HoldingState): number
}

type Row = {
  subject: Subject
  manifest: string
  byte_length: number
  state: HoldingState
  due_at: number
  attempts: number
  reason: string | null
}

const pageSize = 500

export function createHoldingStore(database: Sqlite): HoldingStore {
  return {
    get(subject, manifest) {
      const row = database.get<Row>(
        'SELECT * FROM holding WHERE subject = ? AND manifest = ?',
        subject,
        manifest,
      )
      return row === undefined ? undefined : holdingOf(row)
    },
    ofSubject: (subject) =>
      database.all<Row>('SELECT * FROM holding WHERE subject = ?', subject).map(holdingOf),
    ofManifest: (manifest) =>
      database.all<Row>('SELECT * FROM holding WHERE manifest = ?', manifest).map(holdingOf),
    *subjects() {
      let after = ''
      for (;;) {
        const page = database.all<{ subject: Subject }>(
          "SELECT DISTINCT subject FROM holding WHERE subject > ? AND state <> 'releasing' ORDER BY subject LIMIT ?",
          after,
          pageSize,
        )
        for (const { subject } of page) yield subject
        const last = page.at(-1)
        if (last === undefined || page.length < pageSize) return
        after = last.subject
      }
    },
    *held() {
      let after = { subject: '', manifest: '' }
      for (;;) {
        const page = database.all<Row>(
          `SELECT * FROM holding WHERE state = 'held' AND (subject, manifest) > (?, ?)
           ORDER BY subject, manifest LIMIT ?`,
          after.subject,
          after.manifest,
          pageSize,
        )
        for (const row of page) yield holdingOf(row)
        const last = page.at(-1)
        if (last === undefined || page.length < pageSize) return
        after = last
      }
    },
    damaged: ({ subject, manifest }, at) =>
      database.run(
        `UPDATE holding SET state = 'missing', due_at = ?, attempts = 0, reason = 'damaged blocks'
         WHERE subject = ? AND manifest = ? AND state = 'held'`,
        at,
        subject,
        manifest,
      ).changes > 0,
    put(holding) {
      database.run(
        `INSERT INTO holding (subject, manifest, byte_length, state, due_at, attempts, reason, scrubbed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, 0)
         ON CONFLICT (subject, manifest) DO UPDATE SET byte_length = excluded.byte_length, state = excluded.state,
           due_at = excluded.due_at, attempts = excluded.attempts, reason = excluded.reason`,
        holding.subject,
        holding.manifest,
        holding.byteLength,
        holding.state,
        holding.dueAt,
        holding.attempts,
        holding.reason,
      )
    },
    remove(subject, manifest) {
      database.run('DELETE FROM holding WHERE subject = ? AND manifest = ?', subject, manifest)
    },
    due: (state, at, limit) =>
      database
        .all<Row>(
          'SELECT * FROM holding WHERE state = ? AND due_at <= ? ORDER BY due_at LIMIT ?',
          state,
          at,
          limit,
        )
        .map(holdingOf),
    nextDueAt: (state) =>
      database.get<{ at: number | null }>('SELECT min(due_at) AS at FROM holding WHERE state = ?', state)
        ?.at ?? undefined,
    leastScrubbed(before) {
      const row = database.get<Row>(
        "SELECT * FROM holding WHERE state = 'held' AND scrubbed_at < ? ORDER BY scrubbed_at LIMIT 1",
        before,
      )
      return row === undefined ? undefined : holdingOf(row)
    },
    scrubbed({ subject, manifest }, at) {
      database.run(
        'UPDATE holding SET scrubbed_at = ? WHERE subject = ? AND manifest = ?',
        at,
        subject,
        manifest,
      )
    },
    count: (state) =>
      database.get<{ total: number }>('SELECT count(*) AS total FROM holding WHERE state = ?', state)
        ?.total ?? 0,
  }
}

function holdingOf(row: Row): Holding {
  const { subject, manifest, state, attempts, reason } = row
  return { subject, manifest, state, attempts, reason, byteLength: row.byte_length, dueAt: row.due_at }
}
