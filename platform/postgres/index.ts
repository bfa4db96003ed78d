export { LockHeld, withAdvisoryLock } from './advisory-lock.ts'
export { type CopyValue, copyRows } from './copy-rows.ts'
export { migrate } from './migrate.ts'
export { openPostgres, type Postgres, type PostgresClient, type Row } from './open-postgres.ts'
