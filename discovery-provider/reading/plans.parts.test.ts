import type { Prepared } from '@hexachord/platform/postgres'
import { type Address, subjectOf } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { eventually } from '../fixtures/eventually.ts'
import { planOf } from '../fixtures/plan.ts'
import { countsQuery, playsQuery } from '../pioneer/entities.ts'
import { newestPlaylistsQuery } from '../pioneer/lists.ts'
import { keepBestLiked } from '../ranking/keep-liked.ts'
import { rankQueries } from '../ranking/rank-tracks.ts'
import { noticesQuery } from '../takedowns/routes.ts'
import { repliesQuery, threadsQuery } from './comments.ts'
import { feedQuery } from './feed.ts'
import { entriesStatement, followedStatement } from './feed-sources.ts'
import { edgesQuery } from './follows.ts'
import { keepLiked } from './kept-liked.ts'
import { keptPlaylistsStatement, keptTracksStatement } from './kept-texts.ts'
import { playlistsOfAuthorQuery, playlistsStatement } from './playlists.ts'
import { remixesQuery } from './related-tracks.ts'
import { relatedUsersQuery } from './related-users.ts'
import { foundPlaylists, foundTracks, foundUsers, named } from './search.ts'
import { idsOf, matchingQuery, searchedTracks } from './search-matching.ts'
import { filterOf } from './track-filters.ts'
import { listTracksQuery, pricedTracksStatement, tracksStatement } from './tracks.ts'
import { rankedTracksQuery } from './trending.ts'
import { alikeStatement, wordsStatement } from './typed-text.ts'
import { usersStatement } from './users.ts'
import { historyStatement } from './watch-history.ts'

// Some seconds of writing before the first test.
jest.setTimeout(120_000)

const author: Address = `0x${'0'.repeat(37)}123`

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  const words = `(ARRAY['midnight','golden','électrique','ocean','broken','summer','winter','paper','silver','digital'])`
  const address = (n: string) => `'0x' || lpad((${n})::text, 40, '0')`
  const place = `1, 1, '0x'`
  await database.postgres.query(
    `INSERT INTO track (id, author, title, artist, genre, mood, tags, licence, unlisted, duration_ms, manifest,
       storage_root, leaf_count, byte_length, operators, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i % 500')} || '-' || i, ${address('i % 500')}, ${words}[1 + i % 10] || ' song ' || i,
       'artist ' || i % 500, CASE WHEN i % 60 = 0 THEN 'Chant' ELSE 'Jazz' END,
       CASE WHEN i % 60 = 1 THEN 'Calm' END,
       CASE WHEN i % 40 = 1 THEN ARRAY['bpm:' || 60 + i % 120, 'key:Bbm'] ELSE '{}' END, 'CC0-1.0', i % 20 = 0, 1, '', '', 1, 1,
       '{}', 1000 * (i / 3), 0, ${place} FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO profile (id, handle, name, links, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i')}, 'handle_' || i, ${words}[1 + i % 10] || ' person ' || i, '{}', i, i, ${place}
     FROM generate_series(1, 5000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO playlist (id, author, title, album, unlisted, tracks, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i')} || '-1', ${address('i')}, ${words}[1 + i % 10] || ' list ' || i, false, i % 5 = 0, '{}', i, i, ${place}
     FROM generate_series(1, 5000) AS i`,
  )
  const edges = 'id, author, target, since_ms, block, log_index, digest'
  await database.postgres.query(
    `INSERT INTO follow (${edges}) SELECT ${address('i % 400')} || '/' || ${address('i')}, ${address('i % 400')}, ${address('i')}, i, ${place}
     FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO repost (${edges}) SELECT ${address('i % 500')} || '/' || t.id, ${address('i % 500')}, t.id, i, ${place}
     FROM (SELECT row_number() OVER () AS i, id FROM track) AS t`,
  )
  await database.postgres.query(
    `INSERT INTO comment (id, author, track, root, text, deleted, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i')} || '-9', ${address('i')}, ${address('123')} || '-' || (1 + i % 50),
       CASE WHEN i % 2 = 0 THEN ${address('i % 40 + 1')} || '-9' END, 'Ut', false, i, i, ${place}
     FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO tally (subject, what, total) SELECT id, 'saves', 1 FROM track
     UNION ALL SELECT id, 'replies', 1 FROM comment`,
  )
  await database.postgres.query(
    `INSERT INTO mute (${edges}) SELECT ${address('i')} || '/' || ${address('i')}, ${address('i')}, ${address('i')}, i, ${place}
     FROM generate_series(1, 5000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO pin (id, comment, block, log_index, digest) SELECT id, '', ${place} FROM track`,
  )
  await database.postgres.query(
    `INSERT INTO ranking (track, strategy, list, genre_words, score)
     SELECT id, strategy, list, genre_words, ln(created_at_ms + 2) FROM track,
       unnest(ARRAY['heard-1', 'chain-1']) AS strategy, unnest(ARRAY['week', 'all']) AS list`,
  )
  await database.postgres.query(
    `INSERT INTO save (${edges}) SELECT ${address('i % 300')} || '/' || t.id, ${address('i % 300')}, t.id, i, ${place}
     FROM (SELECT row_number() OVER () AS i, id FROM track) AS t`,
  )
  await database.postgres.query('INSERT INTO ranked SELECT id, 1 FROM track')
  await database.postgres.query(`INSERT INTO state SELECT 'subject/' || id, '{}' FROM track`)
  await database.postgres.query(
    `INSERT INTO search_word SELECT 'w' || md5(i::text) FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO search_tag SELECT md5(i::text) FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(`INSERT INTO play (track, day, count) SELECT id, '2026-11-28', 1 FROM track`)
  await database.postgres.query(
    `INSERT INTO manifest_seen SELECT md5(i::text), '{}' FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO track_terms (track, version, unit_price, node_bps, curator_bps, payees, payee_bps, effective_at, block)
     SELECT id, 1, 134, 1000, 0, '{}', '{}', 1, 1 FROM track`,
  )
  await database.postgres.query(
    `INSERT INTO action (block, log_index, hash, signer, author, nonce, kind, subject, verdict)
     SELECT i, 1, i, '', ${address('i % 400')}, i, 1, '', 'applied' FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO block (number, hash, unix_seconds, logs, state_hash) SELECT i, i, i, 1, i FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO undo (block, key) SELECT i, 'subject/' || id FROM (SELECT row_number() OVER () AS i, id FROM comment) AS c`,
  )
  await database.postgres.query(
    `INSERT INTO operator_event (block, log_index, event) SELECT i, 1, '{}' FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO notice (id, author, track, ground, statement, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i % 400')} || '-' || i, ${address('i % 400')}, ${address('123')} || '-' || (i % 4000), 'other', '', i, i, ${place}
     FROM generate_series(1, 8000) AS i`,
  )
  await keepBestLiked(database.postgres)
  // Rows are known to be visible to all, of which plans make something, once nobody holds an older snapshot.
  await eventually(async () => {
    await database.postgres.query('VACUUM ANALYZE')
    const { rows } = await database.postgres.query<{ done: boolean }>(
      `SELECT relallvisible = relpages AS done FROM pg_class WHERE relname = 'search_word'`,
    )
    return rows[0]?.done
  })
})
afterAll(() => database.drop())

const plan = (query: { text: string; values: unknown[] }) => planOf(database.postgres, query)

/** The few operators are read as they lie, the one row of the checkpoint and the versions of tables; what belongs to a row that was found is looked up by its key. */
const besides = [
  'all of operator',
  'all of checkpoint',
  'all of table_version',
  'all of beside_version',
  'operator_pkey',
  'profile_pkey',
  'tally_pkey',
  'pin_pkey',
  'mute_pkey',
  'manifest_seen_pkey',
  'track_terms_pkey',
]
const withoutOperators = (names: string[]) => names.filter((name) => !besides.includes(name))

describe('the plan of the list of tracks', () => {
  const after = [1_000_000, subjectOf(author, 3000n)] as const
  test.each([
    ['newest', {}, 'track_newest'],
    ['newest, a later page', { after }, 'track_newest'],
    ['of an author', { author }, 'track_newest_of_author'],
    ['of an author, a later page', { author, after }, 'track_newest_of_author'],
    ['of a rare genre', { genre: 'chant' }, 'track_newest_of_genre'],
    ['of a rare mood', { mood: 'calm' }, 'track_newest_of_mood'],
    ['of a rare mood, a later page', { mood: 'calm', after }, 'track_newest_of_mood'],
    ['in a rare key', { key: 'A#m' }, 'track_newest_of_key'],
    ['of a rare tempo', { bpmMin: 100, bpmMax: 110 }, 'track_of_tempo'],
    ['with a rare tag', { tag: 'unheard' }, 'track_tags'],
  ])('%s: walks its index', async (_, filter, index) => {
    expect(withoutOperators(await plan(listTracksQuery({ ...filter, rows: 21, nowMs: Date.now() })))).toEqual(
      [index],
    )
  })
})

describe('the plan of the playlists of an author', () => {
  test.each([
    ['all', undefined, Number.MAX_SAFE_INTEGER],
    ['albums', true, Number.MAX_SAFE_INTEGER],
    ['others, a later page', false, 1_000_000],
  ])('%s: walks its index', async (_, album, atMs) => {
    const asked = { author, album, before: [atMs, ''] as const, rows: 21 }
    expect(withoutOperators(await plan(playlistsOfAuthorQuery(asked)))).toEqual(['playlist_of_author'])
  })
})

describe('the plan of a ranking', () => {
  const asked = { strategy: 'heard-1', list: 'week', rows: 21, nowMs: Date.now() } as const
  const after = [1, subjectOf(author, 3000n)] as const
  test.each([
    ['first page', {}, ['ranking_best', 'track_pkey']],
    ['a later page', { after }, ['ranking_best', 'track_pkey']],
    ['of a rare genre', { genre: 'chant' }, ['ranking_best_of_genre', 'track_pkey']],
    ['of a rare tag', { tag: 'unheard' }, ['ranking_pkey', 'track_tags']],
  ])('%s: walks its index', async (_, filter, indexes) => {
    expect(withoutOperators(await plan(rankedTracksQuery({ ...asked, ...filter }))).sort()).toEqual(indexes)
  })

  test('what it is made of: looked up track by track', async () => {
    for (const query of rankQueries([subjectOf(author, 3000n), subjectOf(author, 3500n)], Date.now())) {
      expect((await plan(query)).filter((name) => name.startsWith('all of'))).toEqual([])
    }
  })
})

describe('the plans of what people do', () => {
  const end = [Number.MAX_SAFE_INTEGER, ''] as const
  const walked = async (query: { text: string; values: unknown[] }) =>
    [...new Set(withoutOperators(await plan(query)))].sort()

  test('followers, those who are followed, and reposts: walk an index each', async () => {
    expect(await walked(edgesQuery('follow', 'target', author, end, 21))).toEqual(['follow_of_target'])
    expect(await walked(edgesQuery('follow', 'author', author, end, 21))).toEqual(['follow_of_author'])
    expect(await walked(edgesQuery('repost', 'author', author, end, 21))).toEqual(['repost_of_author'])
  })

  test('a feed: walks the indexes of those who are followed, a later page too', async () => {
    for (const before of [end, [1_000_000, subjectOf(author, 3000n)] as const]) {
      expect(await walked(feedQuery(author, before, 21, Date.now()))).toEqual([
        'follow_of_author',
        'playlist_of_author',
        'repost_of_author',
        'track_newest_of_author',
      ])
    }
  })

  test('what feeds are made of: walks the same indexes, and looks at what has happened since', async () => {
    expect(await walked({ ...followedStatement, values: [[author]] })).toEqual(['follow_of_author'])
    expect(await walked({ ...entriesStatement, values: [[author]] })).toEqual([
      'playlist_of_author',
      'repost_of_author',
      'track_newest_of_author',
    ])
    expect(await walked({ ...historyStatement, values: ['0x 1', 7_990, Date.now(), '0x 1 0'] })).toEqual([
      'action_pkey',
      'block_pkey',
      'comment_pkey',
      'operator_event_pkey',
      'undo_pkey',
    ])
  })

  test('related artists: walk the indexes of a few who care for one', async () => {
    expect(await walked(relatedUsersQuery(author, 20, Date.now()))).toEqual([
      'follow_of_author',
      'follow_of_target',
      'save_of_author',
      'save_of_target',
      'track_newest_of_author',
    ])
  })

  test('threads and answers: walk their indexes', async () => {
    const threads = await walked(threadsQuery(subjectOf(author, 3n), end, 21))
    expect(threads).toEqual(['comment_threads_of_track'])
    const replies = await walked(repliesQuery(subjectOf(author, 9n), [0, ''], 21))
    expect(replies).toEqual(['comment_of_thread'])
  })

  test.each([
    ['all of them', {}, 'notice_newest'],
    ['of an author', { author }, 'notice_newest_of_author'],
    ['of a track', { track: subjectOf(author, 7n) }, 'notice_newest_of_track'],
    ['by an author about a track', { author, track: subjectOf(author, 7n) }, 'notice_newest_of_track'],
  ])('notices, %s: walk one index', async (_, about, index) => {
    // Of the accounts that are honoured there is a handful.
    expect(await plan(noticesQuery(about, end, 21))).toEqual([index, 'all of honoured'])
  })

  test('remixes: look into their index', async () => {
    expect(await walked(remixesQuery(subjectOf(author, 3n), end, 21, Date.now()))).toEqual(['track_remixes'])
  })
})

describe('the plans of what apps of the pioneer ask', () => {
  test.each([
    ['newest playlists', newestPlaylistsQuery(100), ['playlist_newest']],
    ['counts of authors', countsQuery([author]), ['playlist_of_author', 'repost_of_author']],
    ['plays of tracks', playsQuery([subjectOf(author, 123n)]), ['play_pkey']],
  ])('%s: walk their indexes', async (_, query, indexes) => {
    expect([...new Set(await plan(query))].sort()).toEqual(indexes)
  })
})

/** What a search takes. */
const searchedFor = (q: string, words: string) => [q, 20, words, words, ['a', 'b']]

describe('the plan of search', () => {
  test.each([
    ['tracks', foundTracks, ['ranking_pkey', 'track_pkey', 'track_search', 'track_titled']],
    [
      'users',
      foundUsers,
      ['profile_named', 'profile_of_handle', 'profile_search', 'state_pkey', 'track_newest_of_author'],
    ],
    ['playlists', foundPlaylists, ['playlist_pkey', 'playlist_search', 'playlist_titled']],
  ] as const)('%s by words: looks into indexes', async (_, sought, looked) => {
    const values = searchedFor('electrique 12', "'electrique' & '12':*")
    const found = await plan({ ...matchingQuery(sought), values })
    expect([...new Set(withoutOperators(found))].sort()).toEqual(looked)
    const { searched } = sought
    const ids = await plan({ ...matchingQuery(idsOf(searched)), values })
    expect(ids.filter((name) => name.startsWith('all of'))).toEqual([])
    expect(ids).toEqual(expect.arrayContaining([`${searched.table}_search`, `${searched.table}_pkey`]))
  })

  test('users by words: counts the tracks of each in the index of authors', async () => {
    const { rows } = await database.postgres.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN ${matchingQuery(foundUsers).text}`,
      searchedFor('golden', "'golden':*"),
    )
    const [, condition] = rows
      .map((row) => row['QUERY PLAN'])
      .slice(rows.findIndex((row) => row['QUERY PLAN'].includes('track_newest_of_author')))
    expect(condition).toMatch(/Index Cond: \(\(author = .*\) AND \(listed_at_ms <= /)
  })

  test.each(named)('names of $searched.table: looks into indexes', async (sought) => {
    const values = searchedFor('electrique 12', "'electrique' & '12':*")
    const access = await plan({ ...matchingQuery(sought), values })
    expect(access.filter((name) => name.startsWith('all of'))).toEqual([])
  })

  test('tracks by words and filters: looks into an index', async () => {
    const filter = filterOf({ genre: 'Chant', mood: 'calm', tag: 'a', bpmMin: 90, bpmMax: 120, key: 'F#m' })
    const values = [...searchedFor('electrique 12', "'electrique' & '12':*"), ...filter.values]
    const access = await plan({ ...matchingQuery(foundTracks, filter), values })
    expect(withoutOperators(access).filter((name) => name.startsWith('all of'))).toEqual([])
  })

  test('words, words alike and tags: look into their index', async () => {
    expect((await plan({ ...wordsStatement, values: ['elek', 20] })).sort()).toEqual([
      // Its one row.
      'all of search_liked_version',
      'search_tag_pkey',
      'search_word_pkey',
    ])
    expect(await plan({ ...alikeStatement, values: [['elektriqe']] })).toEqual(['search_word_alike'])
  })
})

describe('what is asked all the time', () => {
  test.each([
    ['tracks', pricedTracksStatement, [[subjectOf(author, 123n)]]],
    ['tracks of a list', tracksStatement, [[subjectOf(author, 123n)]]],
    ['tracks to be kept', keptTracksStatement, [[subjectOf(author, 123n)]]],
    ['playlists to be kept', keptPlaylistsStatement, [[subjectOf(author, 1n)]]],
    ['playlists', playlistsStatement, [[subjectOf(author, 1n)]]],
    ['users', usersStatement, [[author], 1]],
    ['follows', followedStatement, [[author]]],
    ['entries', entriesStatement, [[author]]],
    ['history', historyStatement, ['0x 1', 7_990, 1, '0x 1 0']],
    ['search of tracks', matchingQuery(foundTracks), searchedFor('golden', "'golden':*")],
    ['search of users', matchingQuery(foundUsers), searchedFor('golden', "'golden':*")],
    ['search of playlists', matchingQuery(foundPlaylists), searchedFor('golden', "'golden':*")],
    ['search of ids', matchingQuery(idsOf(searchedTracks)), searchedFor('golden', "'golden':*")],
    ['words', wordsStatement, ['golden', 20]],
    ['words alike', alikeStatement, [['golden']]],
    ['feeds', feedQuery(author, [1_000_000, ''], 21, 1), feedQuery(author, [1_000_000, ''], 21, 1).values],
  ] as [string, Prepared, unknown[]][])(
    '%s: is planned a few times and then no more',
    async (_, statement, values) => {
      await database.postgres.withClient(async (client) => {
        for (let times = 0; times < 8; times++)
          await client.query({ name: statement.name, text: statement.text, values })
        const { rows } = await client.query(
          'SELECT generic_plans > 0 AS settled FROM pg_prepared_statements WHERE name = $1',
          [statement.name],
        )
        expect(rows).toEqual([{ settled: true }])
      })
    },
  )
})

describe('search', () => {
  const find = async (q: string, words: string, indexed = words, liked: string[] = []) => {
    const { text } = matchingQuery(idsOf(searchedTracks))
    const { rows } = await database.postgres.query<{ id: string }>(text, [q, 20, words, indexed, liked])
    return rows.map(({ id }) => id)
  }

  test('puts the whole title first, then the newest', async () => {
    const found = await find('golden song 11', "'golden' & 'song' & '11':*")
    expect(found[0]).toBe(`0x${'11'.padStart(40, '0')}-11`)
    expect(found.length).toBeGreaterThan(2)
  })

  test('finds the whole title and the best liked of a word that all share', async () => {
    const liked = await keepLiked(database.postgres)(1)
    const best = liked.get('track')?.find([[{ word: 'song', begins: true }]], 40)
    const found = await find('midnight song 10', "'song':*", "'song':*", best)
    expect(found).toHaveLength(20)
    expect(found[0]).toBe(`0x${'10'.padStart(40, '0')}-10`)
    const { rows } = await database.postgres.query<{ id: string }>(
      `SELECT track AS id FROM ranking WHERE strategy = 'heard-1' AND list = 'all'
       ORDER BY score DESC LIMIT 300`,
    )
    expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining(found.slice(1)))
  })

  test('finds what only few have, though an index knows some of the words only', async () => {
    expect(await find('song 77', "'song' & '77':*", "'song'")).toHaveLength(20)
  })
})

// Last, since what it writes leaves room in the table when it is undone.
test('users by a name that many have: walks their index, and does not collect them', async () => {
  const kept = new Error('nothing is kept')
  const work = database.postgres.transaction(async (client) => {
    await client.query(
      `INSERT INTO profile (id, handle, name, links, created_at_ms, updated_at_ms, block, log_index, digest)
       SELECT 'many' || i, 'many_' || i, 'many ' || i % 2000, '{}', i, i, 1, 1, '0x' FROM generate_series(1, 30000) AS i`,
    )
    await client.query('ANALYZE profile')
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN ${matchingQuery(foundUsers).text}`,
      searchedFor('many 1', "'many' & '1':*"),
    )
    const scans = rows.map((row) => row['QUERY PLAN'].trim()).filter((line) => line.includes('profile_named'))
    expect(scans).toEqual([expect.stringMatching(/^->\s+Index Scan using profile_named /)])
    throw kept
  })
  await expect(work).rejects.toBe(kept)
})
