import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { MigrationChanged, openSqlite, type Sqlite } from './index.ts'

const notes = {
  name: 'notes-1',
  sql: 'CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT',
}
const tags = {
  name: 'notes-2',
  sql: 'CREATE TABLE tag (note INTEGER NOT NULL REFERENCES note (id), word TEXT NOT NULL) STRICT',
}

describe('openSqlite', () => {
  let directory = ''
  let open: Sqlite[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sqlite-'))
  })

  afterEach(() => {
    for (const database of open) database.close()
    open = []
    rmSync(directory, { recursive: true })
  })

  function openNotes(migrations = [notes, tags]): Sqlite {
    const database = openSqlite(join(directory, 'deeper', 'notes.sqlite'), { migrations })
    open.push(database)
    return database
  }

  function bodies(database: Sqlite): string[] {
    return database.all<{ body: string }>('SELECT body FROM note ORDER BY id').map(({ body }) => body)
  }

  function add(database: Sqlite, body: string): void {
    database.run('INSERT INTO note (body) VALUES (?)', body)
  }

  test('makes the folder and the file, with WAL, full synchronisation and foreign keys', () => {
    const database = openNotes()
    expect(database.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' })
    expect(database.get('PRAGMA synchronous')).toEqual({ synchronous: 2 })
    expect(() => database.run('INSERT INTO tag VALUES (?, ?)', 7, 'x')).toThrow('FOREIGN KEY')
  })

  test('keeps what was written when it is opened again, and applies a migration once', () => {
    const first = openNotes([notes])
    add(first, 'kept')
    first.close()
    expect(bodies(openNotes())).toEqual(['kept'])
    expect(bodies(openNotes())).toEqual(['kept'])
  })

  test('answers with the first row, all rows, or how many changed', () => {
    const database = openNotes()
    expect(database.run('INSERT INTO note (body) VALUES (?), (?)', 'a', 'b')).toMatchObject({ changes: 2 })
    expect(database.get('SELECT body FROM note WHERE id = ?', 2)).toEqual({ body: 'b' })
    expect(database.get('SELECT body FROM note WHERE id = ?', 3)).toBeUndefined()
    expect(database.run('DELETE FROM note')).toMatchObject({ changes: 2 })
  })

  test('stores bytes and integers past 2^53, and refuses to read those as numbers', () => {
    const database = openSqlite(':memory:', {
      migrations: [{ name: 'v', sql: 'CREATE TABLE v (n INTEGER, b BLOB)' }],
    })
    open.push(database)
    database.run('INSERT INTO v VALUES (?, ?)', 2n ** 60n, Uint8Array.of(1, 2))
    expect(database.get('SELECT b, CAST(n AS TEXT) AS n FROM v')).toEqual({
      b: Uint8Array.of(1, 2),
      n: String(2n ** 60n),
    })
    expect(() => database.get('SELECT n FROM v')).toThrow(
      'too large to be represented as a JavaScript number',
    )
  })

  describe('migrations', () => {
    test('refuse one that was applied with another text', () => {
      openNotes([notes]).close()
      expect(() => openNotes([{ ...notes, sql: `${notes.sql} -- changed` }])).toThrow(MigrationChanged)
    })

    test('refuse a database that a newer program wrote', () => {
      openNotes([notes, tags]).close()
      expect(() => openNotes([notes])).toThrow('migrations this program does not know: notes-2')
    })

    test('of a part of the file leave the others be, and are still held to their text', () => {
      openNotes([notes, tags]).close()
      const openPart = (migration: typeof tags) =>
        openSqlite(join(directory, 'deeper', 'notes.sqlite'), { migrations: [migration], isPart: true })
      const part = openPart(tags)
      expect(part.get('SELECT count(*) AS count FROM note')).toEqual({ count: 0 })
      part.close()
      const changed = { ...tags, sql: `${tags.sql} -- changed` }
      expect(() => openPart(changed)).toThrow(MigrationChanged)
    })

    test('leave nothing behind when one fails half-way', () => {
      const broken = { name: 'notes-2', sql: 'CREATE TABLE half (x INTEGER); CREATE TABLE note (id INTEGER)' }
      expect(() => openNotes([notes, broken])).toThrow('already exists')
      const database = openNotes([notes])
      expect(database.get("SELECT name FROM sqlite_schema WHERE name = 'half'")).toBeUndefined()
    })

    test('refuse two of one name', () => {
      expect(() => openNotes([notes, notes])).toThrow('two migrations have the same name')
    })
  })

  describe('a transaction', () => {
    test('undoes everything when its work throws', () => {
      const database = openNotes()
      const work = () =>
        database.transaction(() => {
          add(database, 'a')
          throw new Error('changed my mind')
        })
      expect(work).toThrow('changed my mind')
      expect(bodies(database)).toEqual([])
    })

    test('gives what its work gives', () => {
      expect(openNotes().transaction(() => 7)).toBe(7)
    })

    test('inside another undoes only its own part', () => {
      const database = openNotes()
      database.transaction(() => {
        add(database, 'outer')
        expect(() =>
          database.transaction(() => {
            add(database, 'inner')
            throw new Error('inner fails')
          }),
        ).toThrow('inner fails')
        database.transaction(() => add(database, 'second inner'))
      })
      expect(bodies(database)).toEqual(['outer', 'second inner'])
    })

    test('inside another goes with it when that fails', () => {
      const database = openNotes()
      const work = () =>
        database.transaction(() => {
          database.transaction(() => add(database, 'inner'))
          throw new Error('outer fails')
        })
      expect(work).toThrow('outer fails')
      expect(bodies(database)).toEqual([])
    })

    test('refuses async work, which would run outside of it', () => {
      const database = openNotes()
      expect(() => database.transaction(async () => add(database, 'late'))).toThrow('cannot be async')
      expect(bodies(database)).toEqual([])
    })

    test('that cannot be committed is undone and leaves the next one free', () => {
      const deferred = {
        name: 'deferred',
        sql: 'CREATE TABLE child (note INTEGER REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)',
      }
      const database = openNotes([notes, deferred])
      expect(() => database.transaction(() => database.run('INSERT INTO child VALUES (9)'))).toThrow(
        'FOREIGN KEY',
      )
      database.transaction(() => add(database, 'fine'))
      expect(database.all('SELECT * FROM child')).toEqual([])
      expect(bodies(database)).toEqual(['fine'])
    })
  })

  test('keeps few statements prepared, however many texts it is asked', () => {
    const database = openNotes()
    for (let index = 0; index < 1_000; index += 1) {
      expect(database.get(`SELECT ${index} AS n`)).toEqual({ n: index })
    }
  })

  test('what a transaction committed survives kill -9 a moment later; what it had not is gone', () => {
    const path = join(directory, 'killed.sqlite')
    const program = fileURLToPath(new URL('testing/write-and-die.ts', import.meta.url))
    const child = spawnSync(process.execPath, [program, path])
    expect(child.signal).toBe('SIGKILL')
    const database = openSqlite(path, { migrations: [notes] })
    open.push(database)
    expect(bodies(database)).toEqual(['committed'])
  })
})
