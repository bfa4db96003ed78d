export { LockHeld, withAdvisoryLock } from './advisory-lock.ts'
export type { CopyType } from './copy-binary.ts'
export { copyRows } from './copy-rows.ts'
export type { CopyValue } from './copy-text.ts'
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
