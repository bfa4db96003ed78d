import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { applyMigrations, type Migration } from './migrations.ts'

/** What SQLite stores. An INTEGER past 2^53 can be written as bigint; reading one is an error. */
export type SqliteValue = null | number | bigint | string | Uint8Array

/** One SQLite file, open for this process. Every call is synchronous; statements are prepared once. */
export type Sqlite = {
  /** The first row, or undefined. `Row` is the caller's promise about the columns it selected. */
  get<Row>(sql: string, ...values: SqliteValue[]): Row | undefined
  all<Row>(sql: string, ...values: SqliteValue[]): Row[]
  /** Changes rows and says how many. */
  run(sql: string, ...values: SqliteValue[]): { changes: number; lastInsertRowid: number | bigint }
  /** Several statements without values, such as a schema. */
  exec(sql: string): void
  /**
   * Runs `work` so that all of it is durable when this returns, or none of it happened. Inside another transaction
   * it is a savepoint: its failure undoes only its own part. `work` must not be async.
   */
  transaction<Result>(work: () => Result): Result
  close(): void
}

/** Long enough for another process's migration or back-up step, short enough that a stuck one is noticed. */
const busyTimeoutMs = 5_000

/** Statements kept prepared; more than any of our stores has, so that only built-up SQL would push one out. */
const preparedLimit = 256

export type OpenOptions = {
  migrations?: readonly Migration[]
  /** For a tool beside the program whose file it is, which knows only the tables that it needs. @default false */
  isPart?: boolean
}

/**
 * Opens or makes the file, sets WAL with `synchronous=FULL` (a commit survives power loss), foreign keys and a busy
 * time-out, and applies the migrations. `:memory:` gives a database that dies with the process.
 * @throws MigrationChanged when the file's schema is not what `migrations` would have made
 */
export function openSqlite(path: string, options: OpenOptions = {}): Sqlite {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: busyTimeoutMs })
  try {
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    applyMigrations(database, options.migrations ?? [], options)
  } catch (error) {
    database.close()
    throw error
  }

  const prepared = new Map<string, StatementSync>()
  function prepare(sql: string): StatementSync {
    const kept = prepared.get(sql)
    if (kept !== undefined) {
      prepared.delete(sql)
      prepared.set(sql, kept)
      return kept
    }
    const statement = database.prepare(sql)
    if (prepared.size >= preparedLimit) {
      for (const oldest of prepared.keys()) {
        prepared.delete(oldest)
        break
      }
    }
    prepared.set(sql, statement)
    return statement
  }

  let depth = 0
  function transaction<Result>(work: () => Result): Result {
    const name = `nested_${depth}`
    database.exec(depth === 0 ? 'BEGIN IMMEDIATE' : `SAVEPOINT ${name}`)
    depth += 1
    try {
      const result = work()
      if (result instanceof Promise) throw new TypeError('a SQLite transaction cannot be async')
      database.exec(depth === 1 ? 'COMMIT' : `RELEASE ${name}`)
      return result
    } catch (error) {
      // SQLite ends the whole transaction by itself when the disk is full or a write fails.
      if (database.isTransaction) {
        database.exec(depth === 1 ? 'ROLLBACK' : `ROLLBACK TO ${name}; RELEASE ${name}`)
      }
      throw error
    } finally {
      depth -= 1
    }
  }

  return {
    get: <Row>(sql: string, ...values: SqliteValue[]) => prepare(sql).get(...values) as Row | undefined,
    all: <Row>(sql: string, ...values: SqliteValue[]) => prepare(sql).all(...values) as Row[],
    run(sql, ...values) {
      const { changes, lastInsertRowid } = prepare(sql).run(...values)
      return { changes: Number(changes), lastInsertRowid }
    },
    exec: (sql) => database.exec(sql),
    transaction,
    close() {
      prepared.clear()
      if (database.isOpen) database.close()
    },
  }
}
