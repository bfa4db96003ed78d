import { resolutionSchema, searchAnswerSchema } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import {
  album,
  bjork,
  guido,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
})
afterAll(() => served.close())

describe('/v1/search', () => {
  const find = async (q: string) => {
    const found = await served.read(`/v1/search?q=${encodeURIComponent(q)}`, searchAnswerSchema)
    const idsOf = (items: { id: string }[]) => items.map(({ id }) => id)
    return { tracks: idsOf(found.tracks), users: idsOf(found.users), playlists: idsOf(found.playlists) }
  }

  test('finds by beginnings, in any case and without accents', async () => {
    expect(await find('BJO')).toMatchObject({ tracks: [joga], users: [bjork] })
    expect(await find('joga')).toMatchObject({ tracks: [joga] })
    expect(await find('gudmunds')).toMatchObject({ users: [bjork] })
    expect(await find('ut queant lax')).toMatchObject({ tracks: [hymn] })
    expect(await find('laxis ut')).toMatchObject({ tracks: [hymn] })
  })

  test('finds by album, genre and tag, and albums themselves', async () => {
    expect(await find('homogenic')).toEqual({ tracks: [joga], users: [], playlists: [album] })
    expect((await find('solmisation')).tracks).toEqual([hymn])
    expect((await find('hip-hop')).tracks).toEqual([hymn])
  })

  test('finds what is mistyped', async () => {
    expect((await find('qeant laxsis')).tracks).toEqual([hymn])
    expect((await find('homogenik')).playlists).toEqual([album])
    expect((await find('gudmunsdotir')).users).toEqual([bjork])
  })

  test('never shows what is unlisted', async () => {
    expect((await find('hidden')).tracks).toEqual([])
    expect((await find('drafts')).playlists).toEqual([])
  })

  test.each([
    "'",
    "O'Brien & (x | !y):*",
    '½ ŉ ＼ ﷽',
    '日本語',
    'a'.repeat(200),
    '%_\\',
    '<b>"; DROP TABLE track',
  ])('takes any text for what it is: %s', async (q) => {
    const response = await served.get(`/v1/search?q=${encodeURIComponent(q)}`)
    expect([200, 400]).toContain(response.status)
  })
})

describe('the words of a search', () => {
  test('are a query that the database understands, whatever is typed', async () => {
    const { postgres } = served.catalogue.database
    const typed = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(fc.array(typed, { minLength: 50, maxLength: 50 }), async (texts) => {
        const storable = texts.map((text) => text.toWellFormed().replaceAll('\0', ' '))
        const { rows } = await postgres.query('SELECT typed_query(text) FROM unnest($1::text[]) AS text', [
          storable,
        ])
        expect(rows).toHaveLength(50)
      }),
      { numRuns: 60 },
    )
  })
})

describe('/v1/resolve', () => {
  const resolved = (query: string) => served.read(`/v1/resolve?${query}`, resolutionSchema)

  test('knows handles, and URLs of any page that ends in a name', async () => {
    expect(await resolved('handle=bjork')).toEqual({ kind: 'user', id: bjork })
    const url = (text: string) => `url=${encodeURIComponent(text)}`
    expect(await resolved(url(`https://app.example/tracks/${joga}?t=1`))).toEqual({ kind: 'track', id: joga })
    expect(await resolved(url(`https://app.example/#/playlists/${album}`))).toEqual({
      kind: 'playlist',
      id: album,
    })
    expect(await resolved(url('https://app.example/@bjork'))).toEqual({ kind: 'user', id: bjork })
    expect(await resolved(url(`https://app.example/users/${guido}`))).toEqual({ kind: 'user', id: guido })
  })

  test('says what it does not know', async () => {
    expect(await served.problem('/v1/resolve?handle=nobody')).toMatchObject({ status: 404 })
    expect(await served.problem('/v1/resolve?url=https%3A%2F%2Fapp.example%2F')).toMatchObject({
      status: 404,
    })
    expect(await served.problem('/v1/resolve')).toMatchObject({ status: 400 })
    expect(await served.problem('/v1/resolve?handle=a&url=https%3A%2F%2Fb.example')).toMatchObject({
      status: 400,
    })
  })
})
