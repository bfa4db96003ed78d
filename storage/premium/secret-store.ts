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
]

/** Secrets of premium tracks that this node was given, as they came: sealed to its hot key. */
export type SecretStore = {
  get(subject: Subject): KeptSecret | undefined
  /** Durable when it returns. */
  set(subject: Subject, secret: KeptSecret): void
  remove(subject: Subject): void
}

export function createSecretStore(database: Sqlite): SecretStore {
  return {
    get(subject) {
      const row = database.get<{ sealed: string; gate: string | null }>(
        'SELECT sealed, gate FROM premium_secret WHERE subject = ?',
        subject,
      )
      if (row === undefined) return undefined
      const gate = row.gate === null ? null : parsed(gateSchema, JSON.parse(row.gate))
      return { sealed: row.sealed, gate }
    },
    set(subject, { sealed, gate }) {
      database.run(
        'INSERT INTO premium_secret (subject, sealed, gate) VALUES (?, ?, ?) ON CONFLICT (subject) DO UPDATE SET sealed = excluded.sealed, gate = excluded.gate',
        ...[subject, sealed, gate === null ? null : JSON.stringify(gate)],
      )
    },
    remove: (subject) => {
      database.run('DELETE FROM premium_secret WHERE subject = ?', subject)
    },
  }
}
