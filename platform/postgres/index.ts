export { LockHeld, withAdvisoryLock } from './advisory-lock.ts'
export { type CopyValue, copyRows, HexBytes } from './copy-rows.ts'
export { migrate } from './migrate.ts'
export {
  openPostgres,
  type Postgres,
  type PostgresClient,
  type Row,
  type Statements,
} from './open-postgres.ts'
export { type Prepared, prepared } from './prepared.ts'
export { together } from './together.ts'
