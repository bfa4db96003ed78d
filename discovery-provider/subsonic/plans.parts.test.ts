import type { Address } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { planOf } from '../fixtures/plan.ts'
import { namedTracksQuery } from '../listenbrainz/find-tracks.ts'
import { idsOf, matchingQuery } from '../reading/search-matching.ts'
import { collectionCoversStatement } from './covers.ts'
import { albumListQuery } from './lists.ts'
import { readParameters } from './parameters.ts'
import { sampleIds, sampleQuery } from './random.ts'
import { searchedAlbums, searchedArtists } from './searching.ts'
import { createShelf, shelfQueries } from './shelf.ts'
import { songsOfGenreQuery } from './songs.ts'

// Some seconds of writing before the first test.
jest.setTimeout(120_000)

const authors = 3_000
const author: Address = `0x${'7'.padStart(40, '0')}`

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  const { postgres } = database
  const words = `(ARRAY['midnight','golden','électrique','ocean','broken','summer','winter','paper','silver','digital'])`
  const address = (n: string) => `'0x' || lpad((${n})::text, 40, '0')`
  await postgres.query(
    `INSERT INTO track (id, author, title, artist, genre, tags, licence, unlisted, duration_ms, manifest,
       storage_root, leaf_count, byte_length, operators, created_at_ms, updated_at_ms, block, log_index, digest, release_at_ms)
     SELECT ${address(`i % ${authors}`)} || '-' || i, ${address(`i % ${authors}`)}, 'song ' || i, ${words}[1 + i % 10] || ' artist ' || i % ${authors},
       CASE WHEN i % 60 = 0 THEN 'Chant' ELSE 'Jazz' END, '{}', 'CC0-1.0', i % 20 = 0, 1000, 'manifest ' || i, '', 1, 1,
       '{}', 1000000000000 + 1000000 * i::bigint, 0, 1, 1, '0x',
       CASE WHEN i > 12000 THEN 4000000000000 END FROM generate_series(1, 15000) AS i`,
  )
  // Of the four tracks of each author three stand in an album of half of the authors.
  await postgres.query(
    `INSERT INTO playlist (id, author, title, album, unlisted, tracks, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i')} || '-1', ${address('i')}, ${words}[1 + i % 10] || ' album ' || i, i % 2 = 0, false,
       ARRAY(SELECT ${address('i')} || '-' || n * ${authors} + i FROM generate_series(1, 3) AS n), i, i, 1, 1, '0x'
     FROM generate_series(0, ${authors - 1}) AS i`,
  )
  await postgres.query(
    `INSERT INTO profile (id, name, links, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i')}, ${words}[1 + i % 10] || ' artist ' || i, '{}', i, i, 1, 1, '0x' FROM generate_series(0, ${authors - 1}) AS i`,
  )
  await postgres.query(
    `INSERT INTO play SELECT t.id, day, 1 FROM track t, unnest(ARRAY['2026-01-01', '2026-01-02']::date[]) AS day`,
  )
  await postgres.query(
    `INSERT INTO save (id, author, target, since_ms, block, log_index, digest)
     SELECT s.author || '/' || t.id, s.author, t.id, t.created_at_ms, 1, 1, '0x'
     FROM playlist t, LATERAL (SELECT ${address('n')} AS author FROM generate_series(1, 3) AS n) AS s`,
  )
  await postgres.query(
    `INSERT INTO manifest_seen (manifest, key_holders, covers)
     SELECT 'manifest ' || i, '{}', '[{}]' FROM generate_series(1, 15000) AS i`,
  )
  await postgres.query(
    'INSERT INTO catalogue_change (author, subject) SELECT author, id FROM track UNION ALL SELECT author, id FROM playlist',
  )
})
afterAll(() => database.drop())

test('a whole catalogue is put on the shelf, however often somebody waits for it', async () => {
  const { postgres } = database
  const count = async (text: string) =>
    (await postgres.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${text}`)).rows[0]?.count
  while ((await count('catalogue_change')) !== 0) {
    // Two at once, as two readers would.
    const shelf = createShelf(postgres, Date.now)
    await Promise.all([shelf.putInOrder(), shelf.putInOrder(), createShelf(postgres, Date.now).putInOrder()])
  }
  expect(await count('shelf_song')).toBe(11_400)
  expect(await count('shelf_due')).toBe(2_850)
  expect(await count('shelf_artist')).toBe(2_850)
  const inAlbums = `SELECT id, unnest(tracks) AS track FROM playlist WHERE album`
  expect(await count('shelf_song WHERE place IS NOT NULL')).toBe(
    await count(`(${inAlbums}) AS m JOIN track t ON t.id = m.track WHERE NOT t.unlisted`),
  )
  const { rows } = await postgres.query(
    `SELECT a.id FROM shelf_album a LEFT JOIN shelf_song s ON s.album = a.id
     GROUP BY a.id HAVING count(s.id) <> a.song_count`,
  )
  expect(rows).toEqual([])
  await postgres.query('UPDATE shelf_album SET plays = 0, played_on = NULL WHERE hashtext(id) % 2 = 0')
  await postgres.query('VACUUM ANALYZE')
})

const plan = (query: { text: string; values: readonly unknown[] }) => planOf(database.postgres, query)

describe('the plan of a list', () => {
  test.each([
    ['newest', {}, 'shelf_album_newest'],
    ['alphabeticalByName', {}, 'shelf_album_by_name'],
    ['alphabeticalByArtist', {}, 'shelf_album_by_artist'],
    ['frequent', {}, 'shelf_album_frequent'],
    ['recent', {}, 'shelf_album_recent'],
    ['byGenre', { genre: 'Chant' }, 'shelf_album_of_genre'],
    ['byYear', { fromYear: '2001', toYear: '2001' }, 'shelf_album_newest'],
    ['byYear', { fromYear: '2001', toYear: '2000' }, 'shelf_album_newest'],
  ])('%s %o walks its index', async (type, query, index) => {
    expect(
      await plan(albumListQuery(type, { parameters: readParameters(query), account: author }, 20, 40)),
    ).toEqual([index])
  })

  test('of favourites walks the index of what its account has saved', async () => {
    const asked = { parameters: readParameters({}), account: author }
    expect((await plan(albumListQuery('starred', asked, 20, 40))).sort()).toEqual([
      'save_of_author',
      'shelf_album_pkey',
    ])
  })

  test('of songs of a genre walks its index', async () => {
    const access = await plan(songsOfGenreQuery({ genre: 'Chant', count: 20, offset: 40 }, Date.now()))
    const ofEachSong = ['shelf_song_pkey', 'shelf_album_pkey', 'play_pkey', 'manifest_seen_pkey']
    expect(access.filter((name) => !ofEachSong.includes(name))).toEqual(['track_newest_of_genre'])
  })

  test('at random walks an index from anywhere', async () => {
    expect(new Set(await plan(sampleQuery('shelf_song', 40, undefined, 0.5)))).toEqual(
      new Set(['shelf_song_dice']),
    )
    expect(new Set(await plan(sampleQuery('shelf_album', 40, undefined, 0.5)))).toEqual(
      new Set(['shelf_album_dice']),
    )
    expect(new Set(await plan(sampleQuery('shelf_song', 40, 'Chant', 0.5)))).toEqual(
      new Set(['shelf_song_dice_of_genre']),
    )
  })

  test('by words looks into its index', async () => {
    const values = ['golden 12', 20, "'golden' & '12':*", "'golden' & '12':*", []]
    expect((await plan({ ...matchingQuery(idsOf(searchedAlbums)), values })).sort()).toEqual([
      'shelf_album_by_name',
      'shelf_album_pkey',
      'shelf_album_search',
    ])
    expect((await plan({ ...matchingQuery(idsOf(searchedArtists)), values })).sort()).toEqual([
      'shelf_artist_by_name',
      'shelf_artist_pkey',
      'shelf_artist_search',
    ])
  })
})

test('covers of albums and playlists are found by indexes', async () => {
  const ids = [`al-${author}-1`, `al-${author}`, `pl-${author}-1`]
  const access = await plan({ text: collectionCoversStatement, values: [ids] })
  expect(access.filter((name) => name.startsWith('all of'))).toEqual([])
})

test('what is put on the shelf for one author looks at no table as a whole', async () => {
  const access = []
  for (const query of shelfQueries([author], Date.now())) access.push(...(await plan(query)))
  expect(access.filter((name) => name.startsWith('all of'))).toEqual([])
})

test('at random nothing comes twice, and everything may come', async () => {
  const few = await sampleIds(database.postgres, { table: 'shelf_song', count: 100 })
  expect([few.length, new Set(few).size]).toEqual([100, 100])
  const chants = await sampleIds(database.postgres, { table: 'shelf_song', count: 500, genre: 'chant' })
  const { rows } = await database.postgres.query('SELECT FROM shelf_song WHERE genre_words = $1', ['chant'])
  expect([chants.length, new Set(chants).size]).toEqual([rows.length, rows.length])
})

test('a track that a listen names by words is found by their index', async () => {
  const access = await plan(namedTracksQuery([{ title: 'song 12', artist: 'golden artist 12' }], Date.now()))
  expect(access).toContain('track_search')
  expect(access).not.toContain('all of track')
})
