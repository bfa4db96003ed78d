import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type CopyType, type CopyValue, copyRows } from './index.ts'
import { ownPostgres } from './testing/own-postgres.ts'

const own = ownPostgres()
const { open, openNotes, bodies } = own

describe('copyRows', () => {
  /** @param type of the column, where rows go as bytes */
  async function copied(column: string, values: CopyValue[], type?: CopyType): Promise<unknown[]> {
    const postgres = open()
    await postgres.query(`CREATE TABLE copied (id int, value ${column})`)
    const columns = type === undefined ? ['id', 'value'] : { id: 'integer' as const, value: type }
    const given = values.map((value, id) => [id, value])
    const count = await postgres.transaction((client) =>
      copyRows(client, `${own.schema.name}.copied`, columns, given),
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
