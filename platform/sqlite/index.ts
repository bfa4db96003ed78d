export { isDatabaseFull } from './database-full.ts'
export { type Migration, MigrationChanged } from './migrations.ts'
export { openSqlite, type Sqlite, type SqliteValue } from './open-sqlite.ts'
export { whenThereIsRoom } from './when-there-is-room.ts'
