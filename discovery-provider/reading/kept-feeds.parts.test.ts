import { type Address, subjectOf, subjectToBytes32, userSubject } from '@hexachord/protocol/names'
import { feedEntrySchema, listOf } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { eventually } from '../fixtures/eventually.ts'
import { bookPayments, plainTerms } from '../fixtures/payment-history.ts'
import {
  album,
  bjork,
  guido,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { keepManifest } from '../manifests/read-manifests.ts'
import type { Database } from './entity.ts'
import { feedRoutes } from './feed.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const hilda: Address = `0x${'d4'.repeat(20)}`
const later = subjectOf(bjork, 42n)
const releaseAtMs = 4_000_000_000_000
const feed = listOf(feedEntrySchema)

let served: ServedCatalogue
let clock = firstSecond * 1000
const follow = (user: Address, on = true) =>
  served.catalogue.put(
    actedLog({
      author: hilda,
      kind: 'follow',
      subject: userSubject(hilda),
      content: { user, on, atMs: ++clock },
    }),
  )
beforeAll(async () => {
  served = await serveCatalogue()
  const by = operators.filter((_, index) => index !== 1)
  const content = await trackContent(later, { prev: null, title: 'Bachelorette', releaseAtMs }, { by })
  await served.catalogue.put(actedLog({ author: bjork, kind: 'track', subject: later, content }))
  await follow(guido)
  await follow(bjork)
})
afterAll(() => served.close())

/** A feed at a time, what it tells and the statements that it took. */
function watchedFeed() {
  const names: string[] = []
  const { postgres } = served.catalogue.database
  const database: Database = {
    query(statement, values) {
      if (typeof statement !== 'string') names.push(statement.name.replace(/-[0-9a-f]+$/, ''))
      return postgres.query(statement, values)
    },
  }
  let nowMs = Date.now()
  const [route] = feedRoutes(database, () => nowMs)
  return async (atMs = nowMs) => {
    nowMs = atMs
    names.length = 0
    const request = {
      params: { id: hilda },
      query: { limit: 20 },
      authorization: undefined,
      address: undefined,
    }
    const answer = await route?.answer(request)
    if (answer === undefined || !('json' in answer)) throw new Error('a feed is a text')
    const { items } = feed.parse(JSON.parse(Buffer.from(answer.json).toString()))
    const ids = items.map(({ track, playlist }) => (track ?? playlist)?.id)
    return { ids, items, tag: answer.tag, names: [...names] }
  }
}

describe('a feed that was asked for before', () => {
  test('takes a look at what has changed and nothing else, until something has', async () => {
    const read = watchedFeed()
    const first = await read()
    expect(first.names).toEqual(expect.arrayContaining(['history', 'followed', 'entries']))
    const second = await read()
    expect(second).toEqual({ ...first, names: second.names })
    expect(second.ids).toContain(album)
    expect(second.names).toEqual(['history'])
    await follow(guido, false)
    const without = await read()
    expect(without.ids).not.toContain(hymn)
    expect(without.tag).not.toBe(first.tag)
    // Authors who have done nothing are not asked for again.
    expect(without.names).not.toContain('entries')
    await follow(guido)
    expect((await read()).ids).toEqual(first.ids)
  })

  test('takes no more where one has published more than is kept of an author', async () => {
    const { postgres } = served.catalogue.database
    const playlists = `INSERT INTO playlist (id, author, title, album, unlisted, tracks, created_at_ms, updated_at_ms, block, log_index, digest)
      SELECT $1 || '-' || (900 + i), $1, 'List ' || i, false, false, '{}', 9000 + i, 0, 1, 1, '0x' || repeat('a', 64) FROM generate_series(1, 30) AS i`
    await postgres.query(playlists, [guido])
    const read = watchedFeed()
    const first = await read()
    expect(first.names).toContain('feed')
    const second = await read()
    expect(second).toEqual({ ...first, names: ['history'] })
    await postgres.query(`DELETE FROM playlist WHERE title LIKE 'List %'`)
  })

  test('has what was scheduled as soon as its time has come, without a block', async () => {
    const read = watchedFeed()
    expect((await read()).ids).not.toContain(later)
    expect((await read()).ids).not.toContain(later)
    expect((await read(releaseAtMs)).ids[0]).toBe(later)
    expect((await read()).ids[0]).toBe(later)
  })
})

describe('a text of a track that is kept', () => {
  test('says what its manifest and its price are, without a block', async () => {
    const { postgres } = served.catalogue.database
    const read = watchedFeed()
    const told = async (id: string) => {
      const { items } = await read()
      const track = items.find(({ track }) => track?.id === id)?.track
      return { premium: track?.premium, priced: track?.priced }
    }
    expect(await told(joga)).toEqual({ premium: null, priced: false })
    const { rows } = await postgres.query<{ manifest: string }>('SELECT manifest FROM track WHERE id = $1', [
      joga,
    ])
    await keepManifest(
      postgres,
      { track: joga, manifest: rows[0]?.manifest ?? null },
      { keyHolders: [guido], covers: [] },
    )
    expect(await told(joga)).toEqual({ premium: true, priced: false })
    const terms = plainTerms(guido)
    const track = subjectToBytes32(hymn)
    await bookPayments(postgres, [[{ do: 'setTerms', signer: guido, track, terms }, 1]])
    expect(await told(hymn)).toMatchObject({ priced: true })
  })

  test('says another price as soon as that comes into force, by itself', async () => {
    const { postgres } = served.catalogue.database
    const read = watchedFeed()
    const isPriced = async () => {
      // The clock of whoever asks goes on.
      const { items } = await read(Date.now())
      return items.find(({ track }) => track?.id === hymn)?.track?.priced
    }
    expect(await isPriced()).toBe(true)
    await postgres.query(
      `INSERT INTO track_terms (track, version, unit_price, node_bps, curator_bps, payees, payee_bps, effective_at, block)
       VALUES ($1, 9, 0, 1000, 0, '{}', '{}', extract(epoch FROM clock_timestamp())::bigint + 2, 1)`,
      [hymn],
    )
    // As whoever writes terms does.
    await postgres.query('UPDATE beside_version SET version = version + 1')
    expect(await isPriced()).toBe(true)
    await eventually(isPriced, (priced) => priced === false)
  })
})

test('a feed says, and names by its tag, what was out before when the clock of its provider goes back', async () => {
  const content = { target: later, on: true, atMs: ++clock }
  await served.catalogue.put(
    actedLog({ author: guido, kind: 'repost', subject: userSubject(guido), content }),
  )
  const read = watchedFeed()
  const out = await read(releaseAtMs)
  expect(out.ids.filter((id) => id === later)).toHaveLength(2)
  const back = await read(releaseAtMs - 60_000)
  expect(back.ids).not.toContain(later)
  expect(back).toEqual({ ...(await watchedFeed()(releaseAtMs - 60_000)), names: back.names })
})
