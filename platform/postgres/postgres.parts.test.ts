import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createLogger } from '../process/index.ts'
import { eventually } from '../testing/eventually.ts'
import { copyRows, LockHeld, migrate, openPostgres, together, withAdvisoryLock } from './index.ts'
import { ownPostgres } from './testing/own-postgres.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

describe('postgres', () => {
  const own = ownPostgres()
  const { open, openNotes, bodies } = own

  describe('a pool', () => {
    test('answers pings', async () => {
      await open().ping()
    })

    test('rejects pings when there is no server', async () => {
      const pool = openPostgres({ url: 'postgres://app@127.0.0.1:9/none', logger })
      await expect(pool.ping()).rejects.toThrow('ECONNREFUSED')
      await pool.close()
    })

    test('reads bigint as a number and refuses one past 2^53, reads numeric as text', async () => {
      const postgres = open()
      const { rows } = await postgres.query(
        'SELECT 42::bigint AS small, (2::numeric ^ 200)::numeric(78) AS large',
      )
      expect(rows).toEqual([{ small: 42, large: (2n ** 200n).toString() }])
      await expect(postgres.query('SELECT 9007199254740993::bigint AS x')).rejects.toThrow('use numeric')
    })

    test('reads lists of texts as they were given', async () => {
      const postgres = open()
      const given = [
        ...[
          [],
          ['0xa1-7', 'ut'],
          [null, 'NULL', 'null', ''],
          ['a b', 'a,b', '{}', '"', '\\', 'Jóga', '[0:1]={a}'],
        ],
        ...[
          [
            ['a', 'b'],
            ['c', null],
          ],
        ],
      ]
      for (const list of given) {
        const { rows } = await postgres.query('SELECT $1::text[] AS list', [list])
        expect(rows).toEqual([{ list }])
      }
      const { rows } = await postgres.query(`SELECT '[2:3]={a,b}'::text[] AS list`)
      expect(rows).toEqual([{ list: ['a', 'b'] }])
    })

    test('ends a statement that takes too long, and goes on', async () => {
      const postgres = open({ statementTimeoutMs: 50 })
      await expect(postgres.query('SELECT pg_sleep(10)')).rejects.toThrow('statement timeout')
      await postgres.ping()
    })

    test('survives the server ending its connections', async () => {
      const postgres = open({ max: 2 })
      const { rows } = await postgres.query('SELECT pg_backend_pid() AS pid')
      await open().query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
      await eventually(async () => {
        await postgres.ping()
      })
    })
  })

  describe('a transaction', () => {
    test('commits what its work wrote', async () => {
      const postgres = await openNotes()
      const result = await postgres.transaction(async (client) => {
        await client.query("INSERT INTO note (body) VALUES ('kept')")
        return 'done'
      })
      expect([result, await bodies(postgres)]).toEqual(['done', ['kept']])
    })

    test('undoes everything when its work rejects, and gives the connection back', async () => {
      const postgres = open({ max: 1 })
      await postgres.query('CREATE TABLE note (id serial, body text)')
      const work = postgres.transaction(async (client) => {
        await client.query("INSERT INTO note (body) VALUES ('lost')")
        throw new Error('changed my mind')
      })
      await expect(work).rejects.toThrow('changed my mind')
      expect(await bodies(postgres)).toEqual([])
    })

    test('whose statements are sent at once does them in order, and says which of them failed', async () => {
      const postgres = await openNotes()
      const write = (...texts: string[]) =>
        postgres.transaction((client) =>
          together(
            texts.flatMap((text) => [
              together([copyRows(client, 'note', ['body'], [[text]])]),
              client.query(`UPDATE note SET body = body || '!' WHERE length(body) < $1`, [text.length]),
            ]),
          ),
        )
      await write('ut', 'three')
      expect(await bodies(postgres)).toEqual(['ut!', 'three'])
      await postgres.query('CREATE UNIQUE INDEX note_body ON note (body)')
      await expect(write('four', 'three', 'five')).rejects.toThrow('duplicate key')
      expect(await bodies(postgres)).toEqual(['ut!', 'three'])
    })

    test('throws its connection away when that is lost half-way', async () => {
      const postgres = open({ max: 1 })
      const killer = open()
      const work = postgres.transaction(async (client) => {
        const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
        await killer.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
        await client.query('SELECT 1')
      })
      await expect(work).rejects.toThrow(/terminat|connection/i)
      await postgres.ping()
    })

    test('that is read-only cannot write', async () => {
      const postgres = await openNotes()
      const work = postgres.transaction((client) => client.query("INSERT INTO note (body) VALUES ('x')"), {
        readOnly: true,
      })
      await expect(work).rejects.toThrow('read-only')
    })

    test('ends statements after its own time, and leaves the connection its own', async () => {
      const postgres = open({ max: 1 })
      const work = postgres.transaction((client) => client.query('SELECT pg_sleep(10)'), {
        statementTimeoutMs: 50,
      })
      await expect(work).rejects.toThrow('statement timeout')
      await postgres.query('SELECT pg_sleep(0.1)')
    })
  })

  describe('migrate', () => {
    let directory = ''

    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'migrations-'))
      writeFileSync(
        join(directory, '0001-notes.sql'),
        'CREATE TABLE note (id serial, body text);\nCREATE INDEX ON note (body);',
      )
    })

    afterEach(() => rmSync(directory, { recursive: true }))

    const run = () => migrate({ url: own.schema.url, directory, schema: own.schema.name, logger })

    test('applies each file once, in the order of their names', async () => {
      writeFileSync(join(directory, '0002-first-note.sql'), "INSERT INTO note (body) VALUES ('first')")
      expect(await run()).toEqual(['0001-notes', '0002-first-note'])
      expect(await run()).toEqual([])
      writeFileSync(join(directory, '0003-second-note.sql'), "INSERT INTO note (body) VALUES ('second')")
      expect(await run()).toEqual(['0003-second-note'])
      expect(await bodies(open())).toEqual(['first', 'second'])
    })

    test('leaves nothing behind when a file fails', async () => {
      writeFileSync(join(directory, '0002-broken.sql'), "INSERT INTO nowhere VALUES ('x')")
      await expect(run()).rejects.toThrow('nowhere')
      await expect(bodies(open())).rejects.toThrow('does not exist')
    })

    test('of two processes at once lets one do the work and the other wait', async () => {
      const [one, other] = await Promise.all([run(), run()])
      expect([...one, ...other]).toEqual(['0001-notes'])
    })

    test('runs a file with functions, whose bodies hold semicolons and quotes', async () => {
      writeFileSync(
        join(directory, '0002-function.sql'),
        "CREATE FUNCTION shout(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN upper(t) || ';'; END $$;",
      )
      await run()
      expect((await open().query("SELECT shout('it''s') AS it")).rows).toEqual([{ it: "IT'S;" }])
    })
  })

  describe('an advisory lock', () => {
    test('has one holder at a time; the next one waits for it', async () => {
      const [one, other] = [open(), open()]
      const begun = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      const seen: string[] = []
      const first = withAdvisoryLock(one, own.schema.name, async () => {
        seen.push('first begins')
        begun.resolve()
        await release.promise
        seen.push('first ends')
      })
      await begun.promise
      const held = withAdvisoryLock(other, own.schema.name, async () => {}, { wait: false })
      await expect(held).rejects.toThrow(LockHeld)
      const second = withAdvisoryLock(other, own.schema.name, async () => void seen.push('second'))
      release.resolve()
      await Promise.all([first, second])
      expect(seen).toEqual(['first begins', 'first ends', 'second'])
    })

    test('is free again after its work failed', async () => {
      const postgres = open()
      await expect(
        withAdvisoryLock(postgres, own.schema.name, () => Promise.reject(new Error('x'))),
      ).rejects.toThrow('x')
      expect(await withAdvisoryLock(postgres, own.schema.name, async () => 'mine', { wait: false })).toBe(
        'mine',
      )
    })

    test('tells its holder when the connection is lost', async () => {
      const postgres = open({ applicationName: own.schema.name })
      const work = withAdvisoryLock(postgres, own.schema.name, async (signal) => {
        const lost = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        await open().query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
          [own.schema.name],
        )
        await lost
        throw new Error('stopped writing')
      })
      await expect(work).rejects.toThrow('stopped writing')
      await postgres.ping()
    })

    test('stops waiting when its caller does', async () => {
      const postgres = open()
      const controller = new AbortController()
      await withAdvisoryLock(postgres, own.schema.name, async () => {
        const waiting = withAdvisoryLock(open(), own.schema.name, async () => {}, {
          signal: controller.signal,
        })
        controller.abort(new Error('closing'))
        await expect(waiting).rejects.toThrow()
      })
    })
  })
})
