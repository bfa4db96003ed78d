import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { SignedAction } from '@hexachord/protocol/actions'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import type { HeldRelease } from '@hexachord/protocol/rest'

/** A signed action that this node keeps to itself until its time. */
export type HeldAction = HeldRelease & {
  /** Who gave it, and alone hears of it. */
  readonly account: Address
  readonly action: SignedAction
}

export type HeldState = HeldRelease['state']

/** Held actions in SQLite. Every change is durable when a call returns. */
export type HeldActions = {
  /** Adds an action, in the place of the one of its subject that waits, and of itself. */
  put(held: HeldAction): void
  get(hash: Hash): HeldAction | undefined
  /** Those that wait, the soonest first; up to a time, or all. */
  waiting(untilMs?: number): Hash[]
  waitingOf(subject: Subject): HeldAction | undefined
  /** When the soonest is due. */
  nextAtMs(): number | undefined
  /** The newest of an account, ended ones too. */
  of(account: Address): HeldAction[]
  /** How many wait, of one account or of all. */
  countWaiting(account?: Address): number
  countByState(): Partial<Record<HeldState, number>>
  /** @param atMs when it came to that */
  setState(hash: Hash, state: HeldState, reason: string | undefined, atMs: number): void
  remove(hash: Hash): void
  /** Forgets those that were sent or refused before a time. */
  forget(beforeMs: number): void
}

export const heldActionMigrations: readonly Migration[] = [
  {
    name: 'held-actions-1',
    sql: `
      CREATE TABLE held_action (
        hash TEXT PRIMARY KEY,
        subject TEXT NOT NULL,
        account TEXT NOT NULL,
        hold_until INTEGER NOT NULL,
        held_at INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'outdated', 'sent', 'refused')),
        reason TEXT,
        changed_at INTEGER NOT NULL,
        action TEXT NOT NULL
      ) STRICT;
      CREATE INDEX held_action_due ON held_action (hold_until) WHERE state IN ('waiting', 'outdated');
      CREATE UNIQUE INDEX held_action_by_subject ON held_action (subject) WHERE state IN ('waiting', 'outdated');
      CREATE INDEX held_action_by_account ON held_action (account, held_at);
    `,
  },
]

/** An outdated one waits, too: what is wrong with it may pass. */
const isWaiting = "state IN ('waiting', 'outdated')"
/** More than an account can hold in a month by the usual budget of actions. */
const listedLimit = 1_000

type Row = {
  hash: Hash
  subject: Subject
  account: Address
  hold_until: number
  held_at: number
  state: HeldState
  reason: string | null
  action: string
}

export function createHeldActions(database: Sqlite): HeldActions {
  const rows = (where: string, ...values: (string | number)[]) =>
    database.all<Row>(`SELECT * FROM held_action WHERE ${where}`, ...values).map(heldOf)
  const count = (where: string, ...values: string[]) =>
    database.get<{ count: number }>(`SELECT count(*) AS count FROM held_action WHERE ${where}`, ...values)
      ?.count ?? 0
  return {
    put({ hash, subject, account, holdUntilMs, heldAtMs, state, reason, action }) {
      database.transaction(() => {
        database.run(
          `DELETE FROM held_action WHERE hash = ? OR (subject = ? AND ${isWaiting})`,
          hash,
          subject,
        )
        database.run(
          `INSERT INTO held_action (hash, subject, account, hold_until, held_at, state, reason, changed_at, action)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[hash, subject, account, holdUntilMs, heldAtMs, state, reason ?? null, heldAtMs],
          JSON.stringify(action),
        )
      })
    },
    get: (hash) => rows('hash = ?', hash)[0],
    waiting: (untilMs = Number.MAX_SAFE_INTEGER) =>
      // Those of one moment in the order in which they were given: an album comes behind its tracks.
      database
        .all<{ hash: Hash }>(
          `SELECT hash FROM held_action WHERE ${isWaiting} AND hold_until <= ? ORDER BY hold_until, held_at, rowid`,
          untilMs,
        )
        .map(({ hash }) => hash),
    waitingOf: (subject) => rows(`subject = ? AND ${isWaiting}`, subject)[0],
    nextAtMs: () =>
      database.get<{ at: number | null }>(`SELECT min(hold_until) AS at FROM held_action WHERE ${isWaiting}`)
        ?.at ?? undefined,
    of: (account) => rows(`account = ? ORDER BY held_at DESC, rowid DESC LIMIT ${listedLimit}`, account),
    countWaiting: (account) =>
      account === undefined ? count(isWaiting) : count(`account = ? AND ${isWaiting}`, account),
    countByState: () =>
      Object.fromEntries(
        database
          .all<{ state: HeldState; count: number }>(
            'SELECT state, count(*) AS count FROM held_action GROUP BY state',
          )
          .map(({ state, count: some }) => [state, some]),
      ),
    setState(hash, state, reason, atMs) {
      database.run(
        'UPDATE held_action SET state = ?, reason = ?, changed_at = ? WHERE hash = ?',
        ...[state, reason ?? null, atMs, hash],
      )
    },
    remove(hash) {
      database.run('DELETE FROM held_action WHERE hash = ?', hash)
    },
    forget(beforeMs) {
      database.run(`DELETE FROM held_action WHERE NOT ${isWaiting} AND changed_at < ?`, beforeMs)
    },
  }
}

function heldOf(row: Row): HeldAction {
  const { hash, subject, account, state, reason } = row
  return {
    ...{ hash, subject, account, state, holdUntilMs: row.hold_until, heldAtMs: row.held_at },
    ...(reason === null ? {} : { reason }),
    action: JSON.parse(row.action) as SignedAction,
  }
}
