import { subjectOf } from '@hexachord/protocol/names'
import { resolutionSchema, searchAnswerSchema, suggestionsSchema } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import {
  album,
  bjork,
  gone,
  guido,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
  silent,
} from '../fixtures/served-catalogue.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { keepBestLiked } from '../ranking/index.ts'
import { createReadTyped } from './typed-text.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const sonnet = subjectOf(guido, 80n)

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
  const by = operators.filter((_, index) => index !== 1)
  const fields = { title: 'Ut desint vires', genre: 'Chant', mood: 'Calm', tags: ['BPM:96', 'key:Bbm'] }
  const content = await trackContent(sonnet, { prev: null, ...fields }, { by })
  await served.catalogue.put(actedLog({ author: guido, kind: 'track', subject: sonnet, content }))
})
afterAll(() => served.close())

describe('/v1/search', () => {
  const find = async (q: string) => {
    const found = await served.read(`/v1/search?q=${encodeURIComponent(q)}`, searchAnswerSchema)
    const idsOf = (items: { id: string }[]) => items.map(({ id }) => id)
    return {
      tracks: idsOf(found.tracks),
      users: idsOf(found.users),
      playlists: idsOf(found.playlists),
      tags: found.tags,
    }
  }

  test('finds by beginnings, in any case and without accents', async () => {
    expect(await find('BJO')).toMatchObject({ tracks: [joga], users: [bjork] })
    expect(await find('joga')).toMatchObject({ tracks: [joga] })
    expect(await find('gudmunds')).toMatchObject({ users: [bjork] })
    expect(await find('ut queant lax')).toMatchObject({ tracks: [hymn] })
    expect(await find('laxis ut')).toMatchObject({ tracks: [hymn] })
  })

  test('finds by album, genre and tag, and albums themselves', async () => {
    expect(await find('homogenic')).toEqual({ tracks: [joga], users: [], playlists: [album], tags: [] })
    expect((await find('solmisation')).tracks).toEqual([hymn])
    expect((await find('hip-hop')).tracks).toEqual([hymn])
  })

  test('finds what is mistyped', async () => {
    expect((await find('qeant laxsis')).tracks).toEqual([hymn])
    expect((await find('homogenik')).playlists).toEqual([album])
    expect((await find('gudmunsdotir')).users).toEqual([bjork])
  })

  test('finds tags by their beginnings', async () => {
    expect((await find('Medi')).tags).toEqual(['medieval'])
    expect((await find('sol mi')).tags).toEqual([])
  })

  test('puts what is liked before what is not, where words say no more', async () => {
    const { postgres } = served.catalogue.database
    const both = (await find('ut')).tracks
    expect(both).toEqual([sonnet, hymn])
    await postgres.query(`INSERT INTO ranking VALUES ('heard-1', 'all', $1, NULL, 5)`, [hymn])
    expect((await find('ut')).tracks).toEqual([hymn, sonnet])
    await postgres.query('DELETE FROM ranking')
  })

  test.each([
    ['genre=chant', [sonnet]],
    ['genre=jazz', []],
    ['mood=CALM', [sonnet]],
    ['tag=Medieval', [hymn]],
    ['bpmMin=90&bpmMax=100', [sonnet]],
    ['bpmMin=97', []],
    ['key=A%23m', [sonnet]],
    ['key=Bb%20minor', [sonnet]],
    ['key=B', []],
    ['genre=chant&key=C', []],
  ])('narrows tracks by %s', async (filter, found) => {
    const answer = await served.read(`/v1/search?q=ut&${filter}`, searchAnswerSchema)
    expect(answer.tracks.map(({ id }) => id)).toEqual(found)
    expect([answer.users, answer.playlists, answer.tags]).toEqual([[], [], []])
  })

  test('refuses what is no key and no tempo', async () => {
    expect(await served.problem('/v1/search?q=ut&key=H')).toMatchObject({ status: 400 })
    expect(await served.problem('/v1/search?q=ut&bpmMin=fast')).toMatchObject({ status: 400 })
  })

  test('finds the same once it has looked at what is liked best', async () => {
    const { postgres } = served.catalogue.database
    const asked = ['ut', 'ut queant lax', 'homogenic', 'qeant laxsis', 'hidden', 'gone', 'bjo']
    const before = await Promise.all(asked.map(find))
    await keepBestLiked(postgres)
    expect(await Promise.all(asked.map(find))).toEqual(before)
    await postgres.query(`UPDATE search_liked SET search = to_tsvector('simple', 'elsewhere')`)
    await postgres.query(`INSERT INTO search_liked SELECT kind, 'gone', 0, search FROM search_liked LIMIT 1`)
    await postgres.query('UPDATE search_liked_version SET version = version + 1')
    expect((await find('elsewhere')).tracks).toEqual([])
    await keepBestLiked(postgres)
    const { rows } = await postgres.query(
      'SELECT FROM search_liked l LEFT JOIN track t ON t.id = l.id AND t.search = l.search WHERE kind = $1 AND t.id IS NULL',
      ['track'],
    )
    expect(rows).toEqual([])
    await postgres.query('DELETE FROM search_liked')
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

test('/v1/search/suggest names some of each kind, while somebody types', async () => {
  const { items } = await served.read('/v1/search/suggest?q=homo', suggestionsSchema)
  expect(items).toEqual([
    { kind: 'track', id: joga, text: 'Jóga · Björk' },
    { kind: 'playlist', id: album, text: 'Homogenic' },
  ])
  expect(await served.read('/v1/search/suggest?q=solmi&limit=1', suggestionsSchema)).toEqual({
    items: [{ kind: 'track', id: hymn, text: expect.stringMatching(/^Ut queant laxis/) }],
  })
})

describe('the words of a search', () => {
  test('are a query that the database understands, whatever is typed', async () => {
    const { postgres } = served.catalogue.database
    const typed = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(fc.array(typed, { minLength: 50, maxLength: 50 }), async (texts) => {
        const storable = texts.map((text) => text.toWellFormed().replaceAll('\0', ' '))
        const typed = await Promise.all(storable.map(createReadTyped(postgres)))
        const queries = typed.flatMap(({ query }) =>
          query === undefined ? [] : [query.words, query.indexed],
        )
        const { rows } = await postgres.query(
          `SELECT to_tsquery('simple', text) FROM unnest($1::text[]) AS text`,
          [queries],
        )
        expect(rows).toHaveLength(queries.length)
      }),
      { numRuns: 60 },
    )
  })
})

describe('/v1/resolve', () => {
  const url = (text: string) => `url=${encodeURIComponent(text)}`
  const resolved = (query: string) => served.read(`/v1/resolve?${query}`, resolutionSchema)

  test('knows handles, and URLs of any page that ends in a name', async () => {
    expect(await resolved('handle=bjork')).toEqual({ kind: 'user', id: bjork })
    expect(await resolved(url(`https://app.example/tracks/${joga}?t=1`))).toEqual({ kind: 'track', id: joga })
    expect(await resolved(url(`https://app.example/#/playlists/${album}`))).toEqual({
      kind: 'playlist',
      id: album,
    })
    expect(await resolved(url('https://app.example/@bjork'))).toEqual({ kind: 'user', id: bjork })
    for (const address of [guido, `0x${'A1'.repeat(20)}`])
      expect(await resolved(url(`https://app.example/users/${address}`))).toEqual({ kind: 'user', id: guido })
  })

  test('says what it does not know', async () => {
    expect(await served.problem('/v1/resolve?handle=nobody')).toMatchObject({ status: 404 })
    const idle = await served.problem(`/v1/resolve?${url(`https://app.example/users/${silent}`)}`)
    expect(idle).toMatchObject({ status: 404, type: expect.stringMatching(/unknown-name$/) })
    for (const path of [`tracks/${gone}`, `#/tracks/${gone}`]) {
      expect(await served.problem(`/v1/resolve?${url(`https://app.example/${path}`)}`)).toMatchObject({
        ...{ status: 410, type: expect.stringMatching(/deleted$/), last: { block: 19 } },
      })
    }
    expect(await served.problem('/v1/resolve?url=https%3A%2F%2Fapp.example%2F')).toMatchObject({
      status: 404,
    })
    expect(await served.problem('/v1/resolve')).toMatchObject({ status: 400 })
    expect(await served.problem('/v1/resolve?handle=a&url=https%3A%2F%2Fb.example')).toMatchObject({
      status: 400,
    })
  })
})
