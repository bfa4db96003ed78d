import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'

/** One step of a schema, applied once, in the order given. */
export type Migration = { name: string; sql: string }

/** A migration that was applied has changed since, or is no longer there: the schema cannot be trusted. */
export class MigrationChanged extends Error {
  override readonly name = 'MigrationChanged'
}

/**
 * Applies what is not yet applied, each step in a transaction of its own with its record.
 * @param options.isPart whether the file has steps of others, too, which are let be
 * @throws MigrationChanged when an applied step's text differs from its record, or a later program applied more
 */
export function applyMigrations(
  database: DatabaseSync,
  migrations: readonly Migration[],
  { isPart = false }: { isPart?: boolean | undefined } = {},
): void {
  database.exec(
    'CREATE TABLE IF NOT EXISTS schema_migration (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT',
  )
  const given = new Map(migrations.map((migration) => [migration.name, migration]))
  if (given.size !== migrations.length) throw new TypeError('two migrations have the same name')
  for (const migration of migrations) applyOnce(database, migration)
  if (isPart) return
  const unknown = database
    .prepare('SELECT name FROM schema_migration ORDER BY rowid')
    .all()
    .map((row) => String(row.name))
    .filter((name) => !given.has(name))
  if (unknown.length > 0) {
    throw new MigrationChanged(
      `the database has migrations this program does not know: ${unknown.join(', ')}; it was written by a newer version`,
    )
  }
}

function applyOnce(database: DatabaseSync, migration: Migration): void {
  const sha256 = createHash('sha256').update(migration.sql).digest('hex')
  // IMMEDIATE, so that of two processes that open a new file one waits for the other's record.
  database.exec('BEGIN IMMEDIATE')
  try {
    const record = database.prepare('SELECT sha256 FROM schema_migration WHERE name = ?').get(migration.name)
    if (record === undefined) {
      database.exec(migration.sql)
      database
        .prepare('INSERT INTO schema_migration (name, sha256, applied_at) VALUES (?, ?, ?)')
        .run(migration.name, sha256, Date.now())
    } else if (record.sha256 !== sha256) {
      throw new MigrationChanged(
        `migration ${migration.name} was applied with another text; add a new migration instead of changing it`,
      )
    }
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}
