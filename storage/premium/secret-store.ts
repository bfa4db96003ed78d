import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import { parsed } from '@hexachord/protocol/checked'
import type { Subject } from '@hexachord/protocol/names'
import { gateSchema, type KeptSecret } from '@hexachord/protocol/premium'

/** For a service's one database: run these before `createSecretStore`. */
export const premiumMigrations: readonly Migration[] = [
  {
    name: 'premium-1',
    sql: `
      CREATE TABLE premium_secret (subject TEXT PRIMARY KEY, sealed TEXT NOT NULL, gate TEXT) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'premium-2',
    sql: `
      ALTER TABLE premium_secret ADD COLUMN gate_at_ms INTEGER;
      ALTER TABLE premium_secret ADD COLUMN gate_signature TEXT;
    `,
  },
]

/** Secrets of premium tracks that this node was given, as they came: sealed to its hot key. */
export type SecretStore = {
  get(subject: Subject): KeptSecret | undefined
  /** Durable when it returns. */
  set(subject: Subject, secret: KeptSecret): void
  remove(subject: Subject): void
}

type Row = { sealed: string; gate: string | null; gate_at_ms: number | null; gate_signature: string | null }

export function createSecretStore(database: Sqlite): SecretStore {
  return {
    get(subject) {
      const row = database.get<Row>(
        'SELECT sealed, gate, gate_at_ms, gate_signature FROM premium_secret WHERE subject = ?',
        subject,
      )
      if (row === undefined) return undefined
      const gate = row.gate === null ? null : parsed(gateSchema, JSON.parse(row.gate))
      if (row.gate_at_ms === null || row.gate_signature === null) return { sealed: row.sealed, gate }
      return { sealed: row.sealed, gate, proof: { atMs: row.gate_at_ms, signature: row.gate_signature } }
    },
    set(subject, { sealed, gate, proof }) {
      database.run(
        `INSERT OR REPLACE INTO premium_secret (subject, sealed, gate, gate_at_ms, gate_signature)
         VALUES (?, ?, ?, ?, ?)`,
        ...[subject, sealed, gate === null ? null : JSON.stringify(gate)],
        ...[proof?.atMs ?? null, proof?.signature ?? null],
      )
    },
    remove: (subject) => {
      database.run('DELETE FROM premium_secret WHERE subject = ?', subject)
    },
  }
}
