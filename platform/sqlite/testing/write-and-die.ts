import { openSqlite } from '../index.ts'

/** Commits one row, begins another, and dies without closing anything. */
const [, , path = ''] = process.argv
const database = openSqlite(path, {
  migrations: [
    { name: 'notes-1', sql: 'CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT' },
  ],
})
database.transaction(() => database.run('INSERT INTO note (body) VALUES (?)', 'committed'))
database.transaction(() => {
  database.run('INSERT INTO note (body) VALUES (?)', 'not committed')
  process.kill(process.pid, 'SIGKILL')
})
