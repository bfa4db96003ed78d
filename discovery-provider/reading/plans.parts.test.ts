import { type Address, subjectOf } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { matchingQuery, searchedPlaylists, searchedTracks, searchedUsers, similarQuery } from './search.ts'
import { listTracksQuery } from './tracks.ts'

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
    `INSERT INTO track (id, author, title, artist, genre, tags, licence, unlisted, duration_ms, manifest,
       storage_root, leaf_count, byte_length, operators, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i % 500')} || '-' || i, ${address('i % 500')}, ${words}[1 + i % 10] || ' song ' || i,
       'artist ' || i % 500, CASE WHEN i % 60 = 0 THEN 'Chant' ELSE 'Jazz' END, '{}', 'CC0-1.0', i % 20 = 0, 1, '', '', 1, 1,
       '{}', 1000 * (i / 3), 0, ${place} FROM generate_series(1, 8000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO profile (id, handle, name, links, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i')}, 'handle_' || i, ${words}[1 + i % 10] || ' person ' || i, '{}', i, i, ${place}
     FROM generate_series(1, 5000) AS i`,
  )
  await database.postgres.query(
    `INSERT INTO playlist (id, author, title, album, unlisted, tracks, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT ${address('i')} || '-1', ${address('i')}, ${words}[1 + i % 10] || ' list ' || i, false, false, '{}', i, i, ${place}
     FROM generate_series(1, 5000) AS i`,
  )
  await database.postgres.query('VACUUM ANALYZE')
})
afterAll(() => database.drop())

/** Names of the indexes in the plan of a statement; a scan of a whole table stands as `all of <table>`. */
async function plan({ text, values }: { text: string; values: unknown[] }): Promise<string[]> {
  return database.postgres.transaction(async (client) => {
    await client.query(`SELECT set_config('pg_trgm.word_similarity_threshold', '0.45', true)`)
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (FORMAT JSON) ${text}`,
      values,
    )
    const [row] = rows
    if (row === undefined) throw new Error('EXPLAIN answered nothing')
    return accessOf(row['QUERY PLAN'][0].Plan)
  })
}

type PlanNode = {
  'Node Type': string
  'Index Name'?: string
  'Relation Name'?: string
  Plans?: PlanNode[]
}

function accessOf(node: PlanNode): string[] {
  const whole = node['Node Type'] === 'Seq Scan' ? [`all of ${node['Relation Name']}`] : []
  const index = node['Index Name'] === undefined ? [] : [node['Index Name']]
  return [...whole, ...index, ...(node.Plans ?? []).flatMap(accessOf)]
}

/** The few operators are read as they lie. */
const withoutOperators = (names: string[]) =>
  names.filter((name) => name !== 'all of operator' && name !== 'operator_pkey' && name !== 'profile_pkey')

describe('the plan of the list of tracks', () => {
  const after = [1_000_000, subjectOf(author, 3000n)] as const
  test.each([
    ['newest', {}, 'track_newest'],
    ['newest, a later page', { after }, 'track_newest'],
    ['of an author', { author }, 'track_newest_of_author'],
    ['of an author, a later page', { author, after }, 'track_newest_of_author'],
    ['of a rare genre', { genre: 'chant' }, 'track_newest_of_genre'],
  ])('%s: walks its index', async (_, filter, index) => {
    expect(withoutOperators(await plan(listTracksQuery({ ...filter, rows: 21 })))).toEqual([index])
  })
})

describe('the plan of search', () => {
  test.each([
    ['tracks', searchedTracks, 'track_search'],
    ['users', searchedUsers, 'profile_search'],
    ['playlists', searchedPlaylists, 'playlist_search'],
  ] as const)('%s by words: looks into its index', async (_, searched, index) => {
    expect(await plan({ text: matchingQuery(searched), values: ['electrique 12', 20] })).toEqual([index])
  })

  test.each([
    ['tracks', searchedTracks, 'track_similar'],
    ['users', searchedUsers, 'profile_similar'],
    ['playlists', searchedPlaylists, 'playlist_similar'],
  ] as const)('%s by likeness: looks into its index', async (_, searched, index) => {
    expect(await plan({ text: similarQuery(searched), values: ['elektriqe', 20] })).toEqual([index])
  })
})

describe('search', () => {
  const find = async (text: string, q: string) => {
    const { rows } = await database.postgres.query<{ id: string }>(text, [q, 20])
    return rows.map(({ id }) => id)
  }

  test('puts the whole title first, then the newest', async () => {
    const found = await find(matchingQuery(searchedTracks), 'golden song 11')
    expect(found[0]).toBe(`0x${'11'.padStart(40, '0')}-11`)
    expect(found.length).toBeGreaterThan(2)
  })

  test('ranks a bounded number of candidates for a word that all share', async () => {
    expect(await find(matchingQuery(searchedTracks), 'song')).toHaveLength(20)
  })
})
