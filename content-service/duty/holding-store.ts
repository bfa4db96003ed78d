import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Subject } from '@hexachord/protocol/names'
import { type Urgency, urgencies } from './standing.ts'

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
  {
    name: 'holdings-2',
    sql: `
      ALTER TABLE holding ADD COLUMN extra INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE holding ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0;
      CREATE INDEX holding_by_urgency ON holding (state, urgency, due_at);
      CREATE INDEX holding_extra ON holding (due_at) WHERE extra = 1 AND state <> 'missing';
      CREATE TABLE holding_let_go (
        subject TEXT NOT NULL,
        manifest TEXT NOT NULL,
        PRIMARY KEY (subject, manifest)
      ) STRICT, WITHOUT ROWID;
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
  /** Whether placement asks others for it: then it may go once enough of them have proved that they hold it. */
  readonly extra: boolean
  /** How much a copy here was wanted when it was noted. */
  readonly urgency: Urgency
  /** When to try next (missing), to let go (releasing), or to see whether it may go (held and extra), in ms since
   * 1970. */
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
  /** Up to `limit` missing ones whose time has come, the most urgent first, none less urgent than `upTo`. */
  dueMissing(at: number, upTo: Urgency, limit: number): Holding[]
  /** Up to `limit` deleted or replaced ones whose time has come, the earliest first. */
  dueReleasing(at: number, limit: number): Holding[]
  /** Up to `limit` extra ones to look at, the earliest first. */
  dueExtra(at: number, limit: number): Holding[]
  /** When the next one of them is due. */
  nextMissingAt(upTo: Urgency): number | undefined
  nextReleasingAt(): number | undefined
  nextExtraAt(): number | undefined
  /** Removes an extra copy from what is held, and remembers that others took it over. */
  handOver(subject: Subject, manifest: string): void
  /** Whether a track was handed over, and not taken back since. */
  wasHandedOver(subject: Subject, manifest: string): boolean
  /** Forgets what was handed over of a subject, but for one manifest. */
  forgetHandedOver(subject: Subject, except: string | undefined): void
  /** The one held whose last scrub began longest ago, if that was before a time. */
  leastScrubbed(before: number): Holding | undefined
  scrubbed(holding: Holding, at: number): void
  count(state: HoldingState): number
  countExtra(): number
}

type Row = {
  subject: Subject
  manifest: string
  byte_length: number
  state: HoldingState
  extra: 0 | 1
  urgency: Urgency
  due_at: number
  attempts: number
  reason: string | null
}

const pageSize = 500

const isExtra = "extra = 1 AND state <> 'missing'"

export function createHoldingStore(database: Sqlite): HoldingStore {
  const soonest = (condition: string, ...values: number[]) =>
    database.get<{ at: number | null }>(`SELECT min(due_at) AS at FROM holding WHERE ${condition}`, ...values)
      ?.at ?? undefined

  function remove(subject: Subject, manifest: string): void {
    database.run('DELETE FROM holding WHERE subject = ? AND manifest = ?', subject, manifest)
  }

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
        `UPDATE holding SET state = 'missing', due_at = ?, urgency = 0, attempts = 0, reason = 'damaged blocks'
         WHERE subject = ? AND manifest = ? AND state = 'held'`,
        at,
        subject,
        manifest,
      ).changes > 0,
    put(holding) {
      database.run(
        `INSERT INTO holding (subject, manifest, byte_length, state, extra, urgency, due_at, attempts, reason, scrubbed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
         ON CONFLICT (subject, manifest) DO UPDATE SET byte_length = excluded.byte_length, state = excluded.state,
           extra = excluded.extra, urgency = excluded.urgency, due_at = excluded.due_at,
           attempts = excluded.attempts, reason = excluded.reason`,
        holding.subject,
        holding.manifest,
        holding.byteLength,
        holding.state,
        holding.extra ? 1 : 0,
        holding.urgency,
        holding.dueAt,
        holding.attempts,
        holding.reason,
      )
    },
    remove,
    dueMissing: (at, upTo, limit) =>
      database
        .all<Row>(
          `SELECT * FROM holding WHERE state = 'missing' AND urgency <= ? AND due_at <= ?
           ORDER BY urgency, due_at LIMIT ?`,
          upTo,
          at,
          limit,
        )
        .map(holdingOf),
    dueReleasing: (at, limit) =>
      database
        .all<Row>(
          `SELECT * FROM holding WHERE state = 'releasing' AND extra = 0 AND due_at <= ?
           ORDER BY due_at LIMIT ?`,
          at,
          limit,
        )
        .map(holdingOf),
    dueExtra: (at, limit) =>
      database
        .all<Row>(`SELECT * FROM holding WHERE ${isExtra} AND due_at <= ? ORDER BY due_at LIMIT ?`, at, limit)
        .map(holdingOf),
    nextMissingAt(upTo) {
      // One urgency at a time: each is a look at the end of an index, all together would be a walk along it.
      const each = Object.values(urgencies).filter((urgency) => urgency <= upTo)
      const times = each.flatMap((urgency) => soonest("state = 'missing' AND urgency = ?", urgency) ?? [])
      return times.length === 0 ? undefined : Math.min(...times)
    },
    nextReleasingAt: () => soonest("state = 'releasing' AND extra = 0"),
    nextExtraAt: () => soonest(isExtra),
    handOver(subject, manifest) {
      remove(subject, manifest)
      database.run(
        'INSERT INTO holding_let_go (subject, manifest) VALUES (?, ?) ON CONFLICT DO NOTHING',
        subject,
        manifest,
      )
    },
    wasHandedOver: (subject, manifest) =>
      database.get('SELECT 1 FROM holding_let_go WHERE subject = ? AND manifest = ?', subject, manifest) !==
      undefined,
    forgetHandedOver(subject, except) {
      database.run('DELETE FROM holding_let_go WHERE subject = ? AND manifest <> ?', subject, except ?? '')
    },
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
    countExtra: () =>
      database.get<{ total: number }>(`SELECT count(*) AS total FROM holding WHERE ${isExtra}`)?.total ?? 0,
  }
}

function holdingOf(row: Row): Holding {
  const { subject, manifest, state, urgency, attempts, reason } = row
  const byteLength = row.byte_length
  return {
    ...{ subject, manifest, byteLength, state, extra: row.extra === 1, urgency },
    ...{ dueAt: row.due_at, attempts, reason },
  }
}
