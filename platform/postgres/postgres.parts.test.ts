import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createLogger } from '../process/index.ts'
import { eventually } from '../testing/eventually.ts'
import {
  type CopyType,
  type CopyValue,
  copyRows,
  LockHeld,
  migrate,
  openPostgres,
  type Postgres,
  together,
  withAdvisoryLock,
} from './index.ts'
import { ownSchema } from './testing/own-schema.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

describe('postgres', () => {
  let schema: Awaited<ReturnType<typeof ownSchema>>
  let pools: Postgres[] = []

  beforeEach(async () => {
    schema = await ownSchema()
  })

  afterEach(async () => {
    for (const pool of pools) await pool.close()
    pools = []
    await schema.drop()
  })

  function open(
    options: { max?: number; statementTimeoutMs?: number; applicationName?: string } = {},
  ): Postgres {
    const pool = openPostgres({ url: schema.url, logger, ...options })
    pools.push(pool)
    return pool
  }

  async function openNotes(): Promise<Postgres> {
    const postgres = open()
    await postgres.query('CREATE TABLE note (id serial PRIMARY KEY, body text NOT NULL)')
    return postgres
  }

  async function bodies(postgres: Postgres): Promise<string[]> {
    const { rows } = await postgres.query<{ body: string }>('SELECT body FROM note ORDER BY id')
    return rows.map(({ body }) => body)
  }

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

    const run = () => migrate({ url: schema.url, directory, schema: schema.name, logger })

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

  describe('copyRows', () => {
    /** @param type of the column, where rows go as bytes */
    async function copied(column: string, values: CopyValue[], type?: CopyType): Promise<unknown[]> {
      const postgres = open()
      await postgres.query(`CREATE TABLE copied (id int, value ${column})`)
      const columns = type === undefined ? ['id', 'value'] : { id: 'integer' as const, value: type }
      const given = values.map((value, id) => [id, value])
      const count = await postgres.transaction((client) =>
        copyRows(client, `${schema.name}.copied`, columns, given),
      )
      expect(count).toBe(values.length)
      const { rows } = await postgres.query('SELECT value FROM copied ORDER BY id')
      return rows.map(({ value }) => value)
    }

    const types = [undefined, 'text'] as const

    test.each(types)('keeps every text, whatever COPY means by its characters: %s', async (type) => {
      const texts = [
        '',
        '\\N',
        '\\.',
        'a\tb',
        'a\nb',
        'a\r\nb',
        '\\',
        '\\\\t',
        'ünïcødé 🎵',
        "'; DROP TABLE note; --",
        '\u0007',
      ]
      expect(await copied('text', [...texts, null], type)).toEqual([...texts, null])
    })

    test.each(types)('keeps any text that Postgres can hold: %s', async (type) => {
      const texts = fc
        .sample(fc.string({ unit: 'binary', maxLength: 40 }), 500)
        .map((text) => text.replaceAll('\0', ''))
      expect(await copied('text', texts, type)).toEqual(texts)
    })

    test('keeps numbers of 256 bits, bytes, times, flags, JSON and arrays', async () => {
      expect(await copied('numeric(78)', [2n ** 256n - 1n, 0n, -5])).toEqual([
        String(2n ** 256n - 1n),
        '0',
        '-5',
      ])
      await open().query('DROP TABLE copied')
      const bytes = [Uint8Array.of(0, 92, 255), Uint8Array.of()]
      expect(await copied('bytea', bytes)).toEqual([Buffer.of(0, 92, 255), Buffer.of()])
      await open().query('DROP TABLE copied')
      const time = new Date(1_795_175_463_122)
      expect(await copied('timestamptz', [time])).toEqual([time])
      await open().query('DROP TABLE copied')
      expect(await copied('boolean', [true, false, null])).toEqual([true, false, null])
      await open().query('DROP TABLE copied')
      expect(await copied('jsonb', [{ a: ['\t"\\', null], b: { c: 1 } }, '[1,2]'])).toEqual([
        { a: ['\t"\\', null], b: { c: 1 } },
        [1, 2],
      ])
      await open().query('DROP TABLE copied')
      const lists = [[], ['a', null, '"', '\\', ',', '{}', 'NULL', '\n']]
      expect(await copied('text[]', lists)).toEqual(lists)
    })

    test('keeps numbers and bytes that go as bytes', async () => {
      const { MAX_SAFE_INTEGER: most, MIN_SAFE_INTEGER: least } = Number
      const integers = [0, 1, -1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -(2 ** 32) - 1, most, least, null]
      expect(await copied('bigint', integers, 'bigint')).toEqual(integers)
      await open().query('DROP TABLE copied')
      const small = [0, 2 ** 31 - 1, -(2 ** 31)]
      expect(await copied('int', small, 'integer')).toEqual(small)
      await open().query('DROP TABLE copied')
      const bytes = ['0x005cff', '0x', ['0x00', '0x', '0x5CfF'], [], Uint8Array.of(7, 0)]
      expect(await copied('bytea', bytes, 'bytea')).toEqual([
        Buffer.of(0, 92, 255),
        Buffer.of(),
        Buffer.of(0, 92, 255),
        Buffer.of(),
        Buffer.of(7, 0),
      ])
      await open().query('DROP TABLE copied')
      // More than there is memory at hand.
      const [long] = await copied('bytea', [`0x${'ab'.repeat(5e6)}`], 'bytea')
      expect(Buffer.alloc(5e6, 0xab).equals(long as Buffer)).toBe(true)
      await open().query('DROP TABLE copied')
      expect(await copied('json', ['{"b": 1,"a":2}', 'null', null], 'json')).toEqual([
        { b: 1, a: 2 },
        null,
        null,
      ])
    })

    test('keeps any number of 256 bits that goes as bytes', async () => {
      const numbers = [
        ...[0n, 1n, 9_999n, 10_000n, 10n ** 12n, 12_340_000n, 10_000_001n, 2n ** 256n - 1n],
        ...fc.sample(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), 300),
        ...fc.sample(fc.maxSafeNat(), 100),
      ]
      expect(await copied('numeric(78)', numbers, 'numeric')).toEqual(numbers.map(String))
    })

    test.each<[CopyType, CopyValue]>([
      ['bigint', '1'],
      ['bigint', 1.5],
      ['bigint', 2 ** 53],
      ['integer', 2 ** 31],
      ['numeric', -1n],
      ['numeric', 0.5],
      ['text', 1],
      ['json', {}],
      ['bytea', '00'],
      ['bytea', ['0x00', 1]],
      ['bytea', '0x0'],
      ['bytea', '0x0g'],
    ])('refuses what is no %s before the server does: %p', async (type, value) => {
      const postgres = await openNotes()
      const copy = (value: CopyValue) =>
        postgres.transaction((client) => copyRows(client, 'note', { body: type }, [[value]]))
      await expect(copy(value)).rejects.toThrow(TypeError)
      // Nothing of it stands before what is written next.
      await postgres.transaction((client) => copyRows(client, 'note', { body: 'text' }, [['fine']]))
      expect(await bodies(postgres)).toEqual(['fine'])
    })

    test('refuses a NUL character and a row of the wrong width before the server does, and writes nothing', async () => {
      const postgres = await openNotes()
      const copy = (rows: CopyValue[][]) =>
        postgres.transaction((client) => copyRows(client, 'note', ['body'], rows))
      await expect(copy([['fine'], ['not\0fine']])).rejects.toThrow('NUL')
      await expect(
        postgres.transaction((client) => copyRows(client, 'note', { body: 'text' }, [['not\0fine']])),
      ).rejects.toThrow('NUL')
      await expect(copy([['fine'], ['one', 'too many']])).rejects.toThrow('2 values for 1 columns')
      expect(await bodies(postgres)).toEqual([])
    })

    test('leaves the connection usable after the server refuses a row', async () => {
      const postgres = open({ max: 1 })
      await postgres.query('CREATE TABLE copied (id int)')
      await expect(
        postgres.withClient((client) => copyRows(client, 'copied', ['id'], [['x']])),
      ).rejects.toThrow('invalid input')
      await postgres.ping()
    })

    test.each([[['body']], [{ body: 'text' as const }]])(
      'writes 50,000 rows in one go: %j',
      async (columns) => {
        const postgres = await openNotes()
        // More than one COPY takes.
        function* rows(): Generator<CopyValue[]> {
          for (let index = 0; index < 50_000; index += 1) yield [`note ${index} ${'la '.repeat(60)}`]
        }
        expect(await postgres.transaction((client) => copyRows(client, 'note', columns, rows()))).toBe(50_000)
        expect((await postgres.query('SELECT count(*) AS n FROM note')).rows).toEqual([{ n: 50_000 }])
      },
    )

    test('sends all of what many write at once and again and again, in memory that they share', async () => {
      const postgres = await openNotes()
      const notesOf = (writer: number) =>
        Array.from({ length: 2_000 }, (_, row) => [`${writer} ${row} `.repeat(40)])
      const writers = Array.from({ length: 40 }, (_, writer) => writer)
      // More than is kept is under way, and what is sent is written over by the next.
      await Promise.all(
        writers.map((writer) =>
          postgres.transaction((client) => copyRows(client, 'note', ['body'], notesOf(writer))),
        ),
      )
      const { rows } = await postgres.query<{ body: string }>('SELECT body FROM note')
      const bodies = rows.map(({ body }) => body)
      expect(bodies.sort()).toEqual(writers.flatMap(notesOf).flat().sort())
    })

    test('writes no rows at all', async () => {
      const postgres = await openNotes()
      expect(await postgres.transaction((client) => copyRows(client, 'note', ['body'], []))).toBe(0)
    })
  })

  describe('an advisory lock', () => {
    test('has one holder at a time; the next one waits for it', async () => {
      const [one, other] = [open(), open()]
      const begun = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      const seen: string[] = []
      const first = withAdvisoryLock(one, schema.name, async () => {
        seen.push('first begins')
        begun.resolve()
        await release.promise
        seen.push('first ends')
      })
      await begun.promise
      const held = withAdvisoryLock(other, schema.name, async () => {}, { wait: false })
      await expect(held).rejects.toThrow(LockHeld)
      const second = withAdvisoryLock(other, schema.name, async () => void seen.push('second'))
      release.resolve()
      await Promise.all([first, second])
      expect(seen).toEqual(['first begins', 'first ends', 'second'])
    })

    test('is free again after its work failed', async () => {
      const postgres = open()
      await expect(
        withAdvisoryLock(postgres, schema.name, () => Promise.reject(new Error('x'))),
      ).rejects.toThrow('x')
      expect(await withAdvisoryLock(postgres, schema.name, async () => 'mine', { wait: false })).toBe('mine')
    })

    test('tells its holder when the connection is lost', async () => {
      const postgres = open({ applicationName: schema.name })
      const work = withAdvisoryLock(postgres, schema.name, async (signal) => {
        const lost = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        await open().query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
          [schema.name],
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
      await withAdvisoryLock(postgres, schema.name, async () => {
        const waiting = withAdvisoryLock(open(), schema.name, async () => {}, { signal: controller.signal })
        controller.abort(new Error('closing'))
        await expect(waiting).rejects.toThrow()
      })
    })
  })
})
