import type { Migration, Sqlite } from '../sqlite/index.ts'

/**
 * `queued` until a node has taken it, `sent` until it is on the chain. `failed` and `final` are the ends; a
 * reorganisation can lead from `mined` and a reverted `failed` back to `queued`.
 */
export type TransactionState = 'queued' | 'sent' | 'mined' | 'final' | 'failed'

/** Where a transaction of the outbox stands. */
export type TransactionStatus = {
  id: string
  state: TransactionState
  /** Of the transaction that was mined, or else of the last one signed; null before there is one. */
  hash: string | null
  /** Where it was mined. */
  blockNumber: number | null
  /** Why it failed. */
  reason: string | null
}

/** What to send; `id` names it for its sender, whatever nonce, fee and hash it will have. */
export type OutboxItem = { id: string; to: string; data: string; gasLimit?: bigint }

/** A row of the outbox, as the sender works on it. */
export type OutboxRow = OutboxItem &
  TransactionStatus & {
    /** Whose nonce it holds; null while queued. */
    account: string | null
    nonce: number | null
    blockHash: string | null
    sentAt: number | null
    /** Whether a reorganisation or a lost broadcast could still ask for more work. */
    watched: boolean
  }

/** One signed form of a row: each rise of its fee makes another. */
export type SignedForm = { hash: string; raw: string; maxFee: bigint; priorityFee: bigint }

/** An id was used before for something else. */
export class OutboxConflict extends Error {
  override readonly name = 'OutboxConflict'
}

/** Give these to `openSqlite` for the database that the sender writes to. */
export const outboxMigrations: readonly Migration[] = [
  {
    name: 'outbox-1',
    sql: `
      CREATE TABLE outbox (
        sequence INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        to_address TEXT NOT NULL,
        data TEXT NOT NULL,
        gas_limit TEXT,
        state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'mined', 'final', 'failed')),
        account TEXT,
        nonce INTEGER,
        hash TEXT,
        block_number INTEGER,
        block_hash TEXT,
        reason TEXT,
        sent_at INTEGER,
        watched INTEGER NOT NULL DEFAULT 1
      ) STRICT;
      CREATE INDEX outbox_watched ON outbox (state, sequence) WHERE watched = 1;
      CREATE TABLE outbox_signed (
        sequence INTEGER NOT NULL REFERENCES outbox (sequence) ON DELETE CASCADE,
        hash TEXT NOT NULL,
        raw TEXT NOT NULL,
        max_fee TEXT NOT NULL,
        priority_fee TEXT NOT NULL,
        PRIMARY KEY (sequence, hash)
      ) STRICT;
    `,
  },
]

/** The durable half of the sender: what is to be sent, what was signed, what became of it. */
export type Outbox = ReturnType<typeof createOutbox>

type StoredRow = {
  id: string
  to: string
  data: string
  gasLimit: string | null
  state: TransactionState
  account: string | null
  nonce: number | null
  hash: string | null
  blockNumber: number | null
  blockHash: string | null
  reason: string | null
  sentAt: number | null
  watched: number
}

const selectRow = `
  SELECT o.id, o.to_address AS "to", o.data, o.gas_limit AS gasLimit, o.state, o.account, o.nonce, o.hash,
    o.block_number AS blockNumber, o.block_hash AS blockHash, o.reason, o.sent_at AS sentAt, o.watched
  FROM outbox o`

export function createOutbox(database: Sqlite) {
  function find(id: string): OutboxRow | null {
    const row = database.get<StoredRow>(`${selectRow} WHERE o.id = ?`, id)
    return row === undefined ? null : rowOf(row)
  }

  function forgetSigned(id: string): void {
    database.run('DELETE FROM outbox_signed WHERE sequence = (SELECT sequence FROM outbox WHERE id = ?)', id)
  }

  return {
    find,

    /** Adds what is not there yet. @throws OutboxConflict */
    add(item: OutboxItem): OutboxRow {
      return database.transaction(() => {
        const { changes } = database.run(
          `INSERT INTO outbox (id, to_address, data, gas_limit, state) VALUES (?, ?, ?, ?, 'queued')
           ON CONFLICT (id) DO NOTHING`,
          item.id,
          item.to,
          item.data,
          item.gasLimit?.toString() ?? null,
        )
        const row = find(item.id)
        if (row === null) throw new Error(`the outbox lost ${item.id}`)
        if (changes === 0 && (row.to !== item.to || row.data !== item.data)) {
          throw new OutboxConflict(`the outbox already has another transaction under the id ${item.id}`)
        }
        return row
      })
    },

    /** Rows on which there is work, in the order in which they were added. */
    watched(state: TransactionState, limit: number): OutboxRow[] {
      return database
        .all<StoredRow>(
          `${selectRow} WHERE o.watched = 1 AND o.state = ? ORDER BY o.sequence LIMIT ?`,
          state,
          limit,
        )
        .map(rowOf)
    },

    countWatched(state: TransactionState): number {
      const row = database.get<{ count: number }>(
        'SELECT count(*) AS count FROM outbox WHERE watched = 1 AND state = ?',
        state,
      )
      return row?.count ?? 0
    },

    /** The first nonce that no row of this account holds any more, or 0. */
    nextNonce(account: string): number {
      const row = database.get<{ next: number | null }>(
        'SELECT max(nonce) + 1 AS next FROM outbox WHERE account = ? AND watched = 1',
        account,
      )
      return row?.next ?? 0
    },

    signedForms(id: string): SignedForm[] {
      return database
        .all<{ hash: string; raw: string; maxFee: string; priorityFee: string }>(
          `SELECT s.hash, s.raw, s.max_fee AS maxFee, s.priority_fee AS priorityFee
           FROM outbox_signed s JOIN outbox o ON o.sequence = s.sequence WHERE o.id = ? ORDER BY s.rowid`,
          id,
        )
        .map((form) => ({ ...form, maxFee: BigInt(form.maxFee), priorityFee: BigInt(form.priorityFee) }))
    },

    /** Records a signed form before it is broadcast, so that a crash in between loses no nonce. */
    recordSigned(id: string, form: SignedForm, holder: { account: string; nonce: number }): void {
      database.transaction(() => {
        database.run(
          `INSERT INTO outbox_signed (sequence, hash, raw, max_fee, priority_fee)
           SELECT sequence, ?, ?, ?, ? FROM outbox WHERE id = ? ON CONFLICT DO NOTHING`,
          form.hash,
          form.raw,
          form.maxFee.toString(),
          form.priorityFee.toString(),
          id,
        )
        database.run(
          `UPDATE outbox SET state = 'sent', account = ?, nonce = ?, hash = ?, sent_at = NULL,
             block_number = NULL, block_hash = NULL, reason = NULL WHERE id = ?`,
          holder.account,
          holder.nonce,
          form.hash,
          id,
        )
      })
    },

    recordBroadcast(id: string, sentAt: number): void {
      database.run('UPDATE outbox SET sent_at = ? WHERE id = ?', sentAt, id)
    },

    recordMined(
      id: string,
      mined: { hash: string; blockNumber: number; blockHash: string; reason: string | null },
    ) {
      database.run(
        `UPDATE outbox SET state = ?, hash = ?, block_number = ?, block_hash = ?, reason = ? WHERE id = ?`,
        mined.reason === null ? 'mined' : 'failed',
        mined.hash,
        mined.blockNumber,
        mined.blockHash,
        mined.reason,
        id,
      )
    },

    /** Its block is final: `mined` becomes `final`, a reverted one stays `failed`; nothing is left to send. */
    recordFinal(id: string): void {
      database.transaction(() => {
        forgetSigned(id)
        database.run(
          `UPDATE outbox SET watched = 0, state = CASE state WHEN 'mined' THEN 'final' ELSE state END
           WHERE id = ?`,
          id,
        )
      })
    },

    /** It was mined, and is not any more. */
    recordDropped(id: string): void {
      database.run(
        `UPDATE outbox SET state = 'sent', block_number = NULL, block_hash = NULL, reason = NULL, sent_at = NULL
         WHERE id = ?`,
        id,
      )
    },

    /** It failed before it was sent, and holds no nonce. */
    recordRefused(id: string, reason: string): void {
      database.run(`UPDATE outbox SET state = 'failed', reason = ?, watched = 0 WHERE id = ?`, reason, id)
    },

    /** Back to the start with no nonce, such as after a failure that has been mended. */
    requeue(id: string): void {
      database.transaction(() => {
        forgetSigned(id)
        database.run(
          `UPDATE outbox SET state = 'queued', account = NULL, nonce = NULL, hash = NULL, block_number = NULL,
             block_hash = NULL, reason = NULL, sent_at = NULL, watched = 1 WHERE id = ?`,
          id,
        )
      })
    },
  }
}

export function statusOf(row: OutboxRow): TransactionStatus {
  const { id, state, hash, blockNumber, reason, sentAt } = row
  // Signed under a nonce of its own, but no node has taken it yet.
  const waits = state === 'sent' && sentAt === null
  return { id, state: waits ? 'queued' : state, hash, blockNumber, reason }
}

function rowOf(row: StoredRow): OutboxRow {
  const { gasLimit, watched, ...rest } = row
  return {
    ...rest,
    watched: watched === 1,
    ...(gasLimit === null ? {} : { gasLimit: BigInt(gasLimit) }),
  }
}
