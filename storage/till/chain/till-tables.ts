import { outboxMigrations } from '@hexachord/platform/chain'
import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Address } from '@hexachord/protocol/names'
import { paymentsMigrations } from './payments-store.ts'

/** All that stands in a till's database: what it read of the chain, what it sends there, and why. It is a file of its own
 * because an outbox is one account's, and a node may have another beside it. */
export const tillMigrations: readonly Migration[] = [
  ...outboxMigrations,
  ...paymentsMigrations,
  {
    name: 'till-1',
    sql: `
      -- Reserves that were taken to the chain. Kept for a day, to count them.
      CREATE TABLE till_relay (
        id TEXT PRIMARY KEY,
        payer TEXT NOT NULL,
        key TEXT NOT NULL,
        total TEXT NOT NULL,
        taken_at INTEGER NOT NULL,
        tries INTEGER NOT NULL DEFAULT 1,
        -- open until it is mined or has failed, then seen until it is final, then done
        state TEXT NOT NULL CHECK (state IN ('open', 'seen', 'done'))
      ) STRICT;
      CREATE INDEX till_relay_by_payer ON till_relay (payer, taken_at);
      CREATE INDEX till_relay_unfinished ON till_relay (state) WHERE state <> 'done';
      -- Redemptions that are not final.
      CREATE TABLE till_redemption (id TEXT PRIMARY KEY, claims TEXT NOT NULL) STRICT;
      CREATE TABLE till_total (name TEXT PRIMARY KEY, amount TEXT NOT NULL) STRICT;
      -- Tells this till from another with the same key.
      CREATE TABLE till_name (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL) STRICT;
    `,
  },
]

/** What a till has redeemed (base units of the payment token) and spent on gas (wei), in all its life. */
export type TillTotals = { readonly redeemed: bigint; readonly gasWei: bigint }

export type Relay = {
  readonly id: string
  readonly payer: Address
  readonly key: Address
  readonly total: bigint
  readonly state: 'open' | 'seen'
}

/** Channels whose vouchers are in a transaction, where each ends, and what it adds. */
export type Redemption = {
  readonly id: string
  readonly claims: readonly {
    readonly payer: Address
    readonly key: Address
    readonly base: bigint
    readonly cumulative: bigint
  }[]
}

export type TillTables = ReturnType<typeof createTillTables>

const dayMs = 24 * 3_600_000

export function createTillTables(database: Sqlite) {
  const count = (sql: string, ...values: (string | number)[]) =>
    database.get<{ count: number }>(sql, ...values)?.count ?? 0

  function amountOf(name: string): bigint | undefined {
    const row = database.get<{ amount: string }>('SELECT amount FROM till_total WHERE name = ?', name)
    return row === undefined ? undefined : BigInt(row.amount)
  }

  function setAmount(name: string, amount: bigint): void {
    database.run(
      'INSERT INTO till_total (name, amount) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET amount = excluded.amount',
      ...[name, amount.toString()],
    )
  }

  return {
    transaction: database.transaction,
    addRelay(relay: Omit<Relay, 'state'>, takenAt: number): void {
      database.run('DELETE FROM till_relay WHERE state = ? AND taken_at < ?', 'done', takenAt - dayMs)
      database.run(
        `INSERT INTO till_relay (id, payer, key, total, taken_at, state) VALUES (?, ?, ?, ?, ?, 'open')
         ON CONFLICT (id) DO UPDATE SET taken_at = excluded.taken_at, tries = tries + 1, state = 'open'`,
        ...[relay.id, relay.payer, relay.key, relay.total.toString(), takenAt],
      )
    },
    isRelayed: (id: string) =>
      count(`SELECT count(*) AS count FROM till_relay WHERE id = ? AND state <> 'done'`, id) > 0,
    setRelay(id: string, state: 'seen' | 'done'): void {
      database.run('UPDATE till_relay SET state = ? WHERE id = ?', state, id)
    },
    unfinishedRelays: (): Relay[] =>
      database
        .all<Omit<Relay, 'total'> & { total: string }>(
          `SELECT id, payer, key, total, state FROM till_relay WHERE state <> 'done'`,
        )
        .map((relay) => ({ ...relay, total: BigInt(relay.total) })),
    /** How many are open, of all payers and of one, and how many that one has had within a day. */
    relayCounts: (payer: Address, now: number) => ({
      // Said twice for the partial index.
      open: count(`SELECT count(*) AS count FROM till_relay WHERE state <> 'done' AND state = 'open'`),
      ofPayer: count(`SELECT count(*) AS count FROM till_relay WHERE payer = ? AND state = 'open'`, payer),
      today: count(
        'SELECT coalesce(sum(tries), 0) AS count FROM till_relay WHERE payer = ? AND taken_at > ?',
        payer,
        now - dayMs,
      ),
    }),

    addRedemption({ id, claims }: Redemption): void {
      const text = JSON.stringify(
        claims.map(({ payer, key, base, cumulative }) => [payer, key, `${base}`, `${cumulative}`]),
      )
      database.run(
        'INSERT INTO till_redemption (id, claims) VALUES (?, ?) ON CONFLICT (id) DO NOTHING',
        ...[id, text],
      )
    },
    redemptions: (): Redemption[] =>
      database
        .all<{ id: string; claims: string }>('SELECT id, claims FROM till_redemption')
        .map(({ id, claims }) => ({
          id,
          claims: (JSON.parse(claims) as [Address, Address, string, string][]).map(
            ([payer, key, base, cumulative]) => ({
              ...{ payer, key, base: BigInt(base), cumulative: BigInt(cumulative) },
            }),
          ),
        })),
    removeRedemption(id: string): void {
      database.run('DELETE FROM till_redemption WHERE id = ?', id)
    },

    /** Random, and the same for as long as the database lives. */
    name(): string {
      database.run(
        'INSERT INTO till_name (one, name) VALUES (1, ?) ON CONFLICT (one) DO NOTHING',
        crypto.randomUUID(),
      )
      return database.get<{ name: string }>('SELECT name FROM till_name')?.name ?? ''
    },
    addTotal(name: keyof TillTotals, amount: bigint): void {
      setAmount(name, (amountOf(name) ?? 0n) + amount)
    },
    /** When all that is owed was redeemed last, in ms since 1970; undefined for a new till. */
    scheduledAt(): number | undefined {
      const at = amountOf('scheduledAt')
      return at === undefined ? undefined : Number(at)
    },
    setScheduledAt: (at: number) => setAmount('scheduledAt', BigInt(at)),
    /** When another till of the operator answered in this one's place, in ms since 1970; undefined if none ever did. */
    otherSeenAt(): number | undefined {
      const at = amountOf('otherSeenAt')
      return at === undefined ? undefined : Number(at)
    },
    setOtherSeenAt: (at: number) => setAmount('otherSeenAt', BigInt(at)),
    totals: (): TillTotals => ({
      redeemed: amountOf('redeemed') ?? 0n,
      gasWei: amountOf('gasWei') ?? 0n,
    }),
  }
}
