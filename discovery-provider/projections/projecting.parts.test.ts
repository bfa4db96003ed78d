import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import {
  actedLog,
  exitRequestedLog,
  operators,
  stakedLog,
  updatedLog,
} from '../fixtures/synthetic-network.ts'
import { createTestIndex, published, type TestIndex } from '../fixtures/test-index.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const guido: Address = `0x${'a1'.repeat(20)}`
const hilda: Address = `0x${'b2'.repeat(20)}`
const track = subjectOf(guido, 7n)

let database: TestDatabase
let catalogue: TestIndex
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  catalogue = await createTestIndex(database)
})

const playlist = subjectOf(guido, 8n)

describe('what is read', () => {
  test('shows a published track with its author, holders and place on the chain', async () => {
    await catalogue.put(await published(track, { genre: 'Chant', unlisted: true }))
    const block = catalogue.chain.blocks.at(-1)
    expect(await catalogue.rows('track')).toEqual([
      expect.objectContaining({
        id: track,
        author: guido,
        title: 'Ut queant laxis',
        genre: 'Chant',
        unlisted: true,
        duration_ms: 180_000,
        operators: [operators[0]?.operator, operators[1]?.operator],
        created_at_ms: (block?.timestamp ?? 0) * 1000,
        block: block?.number,
        log_index: 1,
        digest: await catalogue.digestOf(track),
      }),
    ])
  })

  test('follows profiles, playlists by delta, rotations and deletions', async () => {
    await catalogue.put(
      actedLog({
        author: guido,
        kind: 'user',
        subject: userSubject(guido),
        content: { prev: null, handle: 'guido', name: 'Guido of Arezzo' },
      }),
      await published(track),
      actedLog({
        author: guido,
        kind: 'playlist',
        subject: playlist,
        content: { prev: null, title: 'Hymns', add: [{ track }, { track: subjectOf(guido, 9n) }] },
      }),
    )
    await catalogue.put(
      actedLog({
        author: guido,
        kind: 'playlist',
        subject: playlist,
        content: { prev: await catalogue.digestOf(playlist), remove: [track], add: [{ track, at: 1 }] },
      }),
      actedLog({
        author: guido,
        kind: 'rotate',
        subject: userSubject(guido),
        content: { prev: await catalogue.digestOf(userSubject(guido)), controller: hilda },
      }),
      actedLog({
        author: guido,
        signer: hilda,
        kind: 'delete',
        subject: track,
        content: { prev: await catalogue.digestOf(track) },
      }),
    )
    expect(await catalogue.lastVerdicts(6)).toEqual(Array(6).fill({ verdict: 'applied', reason: null }))
    expect(await catalogue.rows('profile')).toMatchObject([
      { id: guido, handle: 'guido', name: 'Guido of Arezzo' },
    ])
    expect(await catalogue.rows('playlist')).toMatchObject([
      { id: playlist, tracks: [subjectOf(guido, 9n), track] },
    ])
    expect(await catalogue.rows('track')).toEqual([])
  })

  test('keeps a profile when another subject of its author goes', async () => {
    await catalogue.put(
      actedLog({
        author: guido,
        kind: 'user',
        subject: userSubject(guido),
        content: { prev: null, name: 'Guido' },
      }),
      await published(track),
    )
    await catalogue.put(
      actedLog({
        author: guido,
        kind: 'delete',
        subject: track,
        content: { prev: await catalogue.digestOf(track) },
      }),
    )
    expect(await catalogue.rows('profile')).toMatchObject([{ name: 'Guido' }])
  })

  test('shows operators as they are now', async () => {
    const [first, second, third] = operators
    if (!first || !second || !third) throw new Error('three operators')
    await catalogue.put(
      updatedLog(first, 'https://new.example'),
      exitRequestedLog(second),
      stakedLog(third, 5n),
      updatedLog(third, 'not a URL \0'),
    )
    const found = await catalogue.rows('operator ORDER BY id')
    expect(found).toMatchObject([
      { id: first.operator, gateway: 'https://new.example', active: true },
      { id: second.operator, active: false },
      { id: third.operator, endpoint: 'not a URL \ufffd', gateway: null, stake_wei: '5', active: false },
    ])
  })

  test('counts who follows and saves, once each, and takes that back with its blocks', async () => {
    await catalogue.put(await published(track))
    const hers = { author: hilda, subject: userSubject(hilda) }
    const follow = (on: boolean, atMs: number) =>
      actedLog({ ...hers, kind: 'follow', content: { user: guido, on, atMs } })
    const tallies = async () => {
      const rows = await catalogue.rows('tally ORDER BY subject, what')
      return rows.map(({ subject, what, total }) => [subject, what, total])
    }
    await catalogue.put(follow(true, 1), follow(true, 2))
    const save = { target: track, on: true, atMs: 3 }
    await catalogue.put(actedLog({ ...hers, kind: 'save', content: save }))
    const counted = [
      [guido, 'followers', 1],
      [track, 'saves', 1],
      [hilda, 'following', 1],
    ]
    expect(await tallies()).toEqual(counted)
    await catalogue.put(follow(false, 4))
    expect(await tallies()).toEqual([[track, 'saves', 1]])
    await catalogue.index.takeBack(catalogue.chain.head - 1)
    expect(await tallies()).toEqual(counted)
    await catalogue.index.takeBack(catalogue.chain.head - 3)
    expect(await tallies()).toEqual([counted[0], counted[2]])
    expect(await catalogue.rows('follow')).toMatchObject([{ author: hilda, target: guido }])
  })
})
