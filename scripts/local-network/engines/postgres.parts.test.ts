import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { freePort } from '../../testing/free-port.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../../testing/temporary-folder.ts'
import { type Postgres, removePostgresData, startPostgres } from './postgres.ts'
import { canEnter, nobody, outsideFolderName, runnablePostgres } from './postgres-binaries.ts'

const signal = AbortSignal.timeout(300_000)
const asRoot = process.getuid?.() === 0
let folder: TemporaryFolder
let directory: string
let port: number

beforeEach(async () => {
  folder = await makeTemporaryFolder()
  directory = path.join(folder.path, 'postgres with a space')
  port = await freePort()
})
afterEach(() => folder.remove())

async function withPostgres<T>(use: (postgres: Postgres) => Promise<T>): Promise<T> {
  const postgres = await startPostgres({ directory, port, signal, settings: { fsync: 'off' } })
  try {
    return await use(postgres)
  } finally {
    await postgres.close()
  }
}

async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

describe('our own Postgres', () => {
  test('keeps a database over a clean stop and a kill -9', async () => {
    await withPostgres(async (postgres) => {
      const url = await postgres.createDatabase('hexachord_kept')
      await ask(url, "CREATE TABLE notes (name text); INSERT INTO notes VALUES ('ut')")
    })
    const killed = await startPostgres({ directory, port, signal })
    await ask(await killed.createDatabase('hexachord_kept'), "INSERT INTO notes VALUES ('re')")
    await killed.kill()
    await withPostgres(async (postgres) => {
      const rows = await ask(
        await postgres.createDatabase('hexachord_kept'),
        'SELECT name FROM notes ORDER BY name',
      )
      expect(rows.map((row) => row.name)).toEqual(['re', 'ut'])
    })
  }, 60_000)

  test('asks for its password, and listens on loopback only', async () => {
    await withPostgres(async ({ url }) => {
      const stranger = new URL(url)
      stranger.password = 'guessed'
      await expect(ask(stranger.href, 'SELECT 1')).rejects.toThrow('password authentication failed')
      expect(await ask(url, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
    })
  }, 60_000)

  test('brings what search needs: trigrams, unaccent, and letters of every script', async () => {
    await withPostgres(async ({ url }) => {
      await ask(url, 'CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent')
      expect(
        await ask(url, "SELECT lower('ÄŞΩ') AS low, similarity('hexachord', 'hexacord') > 0.5 AS near"),
      ).toEqual([{ low: 'äşω', near: true }])
    })
  }, 60_000)

  test('ends a server that lost its owner and takes over its data', async () => {
    const orphan = await startPostgres({ directory, port, signal })
    await withPostgres(async ({ url, pid }) => {
      expect(pid).not.toBe(orphan.pid)
      expect(await ask(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    })
    await orphan.exited
  }, 60_000)

  test('is not stopped by a stale pid file whose number belongs to another program now', async () => {
    await withPostgres(async () => {})
    const pidFile = path.join(directory, 'data', 'postmaster.pid')
    await writeFile(pidFile, `${process.pid}\n${path.join(directory, 'data')}\n`)
    await withPostgres(async ({ url }) => {
      expect(await ask(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
      expect(Number((await readFile(pidFile, 'utf8')).split('\n')[0])).not.toBe(process.pid)
    })
  }, 60_000)

  test('begins again after an initdb that was cut short', async () => {
    await withPostgres(async () => {})
    await rm(path.join(directory, 'data', 'hexachord-initialised'))
    await withPostgres(async ({ url }) => expect(await ask(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]))
  }, 60_000)

  if (asRoot) describe('as root', asNobody)
})

function asNobody(): void {
  test('it begins anew when the folder was removed by hand and only its data elsewhere stayed', async () => {
    const closed = path.join(folder.path, 'closed')
    await mkdir(closed, { mode: 0o700 })
    directory = path.join(closed, 'postgres')
    try {
      await withPostgres(async ({ url }) => ask(url, 'CREATE TABLE old (name text)'))
      await rm(directory, { recursive: true })
      await withPostgres(async ({ url }) => {
        expect(await ask(url, "SELECT to_regclass('old') AS old")).toEqual([{ old: null }])
      })
    } finally {
      await removePostgresData(directory)
    }
  }, 60_000)

  test('it runs as nobody, outside a folder that nobody may enter', async () => {
    const closed = path.join(folder.path, 'closed')
    await mkdir(closed, { mode: 0o700 })
    directory = path.join(closed, 'postgres')
    expect(await canEnter(closed, nobody)).toBe(false)
    try {
      await withPostgres(async ({ url }) => {
        const [row] = await ask(url, 'SHOW data_directory')
        expect(row?.data_directory).toBe(path.join(outsideFolderName(directory), 'data'))
      })
    } finally {
      await removePostgresData(directory)
    }
  }, 60_000)

  test('its binaries are where nobody can run them', async () => {
    expect(await runnablePostgres(nobody)).toMatch(/native$/)
  })
}
