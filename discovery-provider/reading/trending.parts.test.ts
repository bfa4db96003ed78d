import { type Address, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import { chartSchema, listOf, trendingSchema, userSchema } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import {
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { countPlays } from '../plays/count-plays.ts'
import { rankChanged } from '../ranking/index.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const dayMs = 86_400_000
const startMs = firstSecond * 1000
const today = new Date(startMs).toISOString().slice(0, 10)
const listeners = ['d1', 'd2', 'd3'].map((byte): Address => `0x${byte.repeat(20)}`)
const [hilda, egil, steinn] = listeners as [Address, Address, Address]
const heard = subjectOf(guido, 70n)

let served: ServedCatalogue
let clock = startMs

/** Marks of users, or what they take back of them. */
async function mark(
  ...marks: [who: Address, what: 'save' | 'repost' | 'follow', target: string, on?: boolean][]
) {
  await served.catalogue.put(
    ...marks.map(([who, kind, target, on = true]) => {
      clock += 1
      const content = { [kind === 'follow' ? 'user' : 'target']: target, on, atMs: clock }
      return actedLog({ author: who, kind, subject: userSubject(who), content })
    }),
  )
  const verdicts = await served.catalogue.lastVerdicts(marks.length)
  expect(verdicts.filter(({ verdict }) => verdict !== 'applied')).toEqual([])
}

const play = (track: Subject, times: number, day = today) =>
  countPlays(served.catalogue.database.postgres, Array(times).fill({ track, day }), clock)

const rank = (nowMs = startMs + 60_000) =>
  rankChanged(served.catalogue.database.postgres, { nowMs, batches: 10 })

let asked = 20
/** Asks for another length each time: a page of one length is the same for a second. */
async function trending(query = ''): Promise<Subject[]> {
  asked += 1
  const { items } = await served.read(`/v1/tracks/trending?limit=${asked}&${query}`, trendingSchema)
  return items.map(({ id }) => id)
}

beforeAll(async () => {
  served = await serveCatalogue()
  const by = operators.filter((_, index) => index !== 1)
  const content = await trackContent(heard, { prev: null, title: 'Resonare', genre: 'Chant' }, { by })
  await served.catalogue.put(actedLog({ author: guido, kind: 'track', subject: heard, content }))
  await mark([hilda, 'save', joga], [egil, 'repost', hymn], [steinn, 'save', hidden], [guido, 'save', heard])
  await play(heard, 1_000)
  await rank()
})
afterAll(() => served.close())

describe('/v1/tracks/trending', () => {
  test('ranks by voices, of which the author has none, and puts what is only played beneath all others', async () => {
    expect(await trending()).toEqual([hymn, joga, heard])
    expect(await trending('strategy=chain-1')).toEqual([hymn, joga])
  })

  test('says which list it is and by which strategy, and pages through it', async () => {
    const first = await served.read('/v1/tracks/trending?limit=2', trendingSchema)
    expect(first).toMatchObject({ strategy: 'heard-1', list: 'week', items: [{ id: hymn }, { id: joga }] })
    const cursor = encodeURIComponent(first.next ?? '')
    const second = await served.read(`/v1/tracks/trending?limit=2&cursor=${cursor}`, trendingSchema)
    expect(second).toMatchObject({ items: [{ id: heard }], next: null })
  })

  test('narrows it to a genre or a tag, however they are written', async () => {
    expect(await trending('genre=hip%20HOP')).toEqual([hymn])
    expect(await trending('tag=Solmisation')).toEqual([hymn])
    expect(await trending('tag=unheard')).toEqual([])
  })

  test('refuses lists and strategies that there are not', async () => {
    expect(await served.problem('/v1/tracks/trending?list=decade')).toMatchObject({ status: 400 })
    expect(await served.problem('/v1/tracks/trending?strategy=heard-0')).toMatchObject({ status: 400 })
  })

  test('follows what is taken back, and plays', async () => {
    await mark([hilda, 'repost', joga], [egil, 'repost', hymn, false], [egil, 'save', hymn])
    await rank()
    expect(await trending()).toEqual([joga, hymn, heard])
    await play(hymn, 200)
    await play(hymn, 200)
    await rank()
    expect(await trending()).toEqual([hymn, joga, heard])
    expect(await trending('strategy=chain-1')).toEqual([joga, hymn])
  })

  test('forgets by time alone, the short lists first', async () => {
    await rank(startMs + 8 * dayMs)
    expect(await trending()).toEqual([])
    expect(await trending('list=month')).toEqual([hymn, joga, heard])
    await rank(startMs + 400 * dayMs)
    expect([await trending('list=year'), await trending('list=all')]).toEqual([[], [hymn, joga, heard]])
    await served.catalogue.database.postgres.query(
      'INSERT INTO ranking_change (track) SELECT track FROM ranked',
    )
    await rank()
    expect(await trending()).toEqual([hymn, joga, heard])
  })

  test('has a list for authors whom few follow', async () => {
    expect(await trending('list=underground')).toEqual([hymn, joga, heard])
    const { postgres } = served.catalogue.database
    await postgres.query(`INSERT INTO tally (subject, what, total) VALUES ($1, 'followers', 1000)`, [guido])
    await postgres.query('INSERT INTO ranking_change (track) VALUES ($1)', [hymn])
    await rank()
    expect(await trending('list=underground')).toEqual([joga, heard])
  })
})

test('/v1/charts tells places and scores', async () => {
  const chart = await served.read('/v1/charts?list=all&strategy=chain-1&limit=1', chartSchema)
  expect(chart).toMatchObject({
    strategy: 'chain-1',
    list: 'all',
    items: [{ place: 1, score: 3, track: { id: joga } }],
  })
})

test('/v1/users/:id/related names whom the same listeners care for, and only who has tracks', async () => {
  const [author] = joga.split('-')
  const related = async (id: string) =>
    (await served.read(`/v1/users/${id}/related`, listOf(userSchema))).items.map((user) => user.id)
  expect(await related(steinn)).toEqual([])
  await mark([hilda, 'save', hymn], [egil, 'follow', author ?? ''], [steinn, 'follow', hilda])
  // Hilda has saved tracks of both, and Egil follows one and has saved a track of the other.
  expect(await related(guido)).toEqual([author])
  expect(await related(author ?? '')).toEqual([guido])
})

test('/v1/users/:id/related leaves out who has only tracks that are to come, until they have', async () => {
  const author = egil
  const soon = subjectOf(author, 90n)
  const by = operators.filter((_, index) => index !== 1)
  const related = async (limit: number) =>
    (await served.read(`/v1/users/${guido}/related?limit=${limit}`, listOf(userSchema))).items.map(
      ({ id }) => id,
    )
  const content = { prev: null, title: 'Soon', releaseAtMs: served.now() + 9 * dayMs }
  await served.catalogue.put(
    actedLog({ author, kind: 'track', subject: soon, content: await trackContent(soon, content, { by }) }),
  )
  // Hilda has saved a track of Guido's.
  await mark([hilda, 'follow', author])
  expect(await related(40)).not.toContain(author)
  const prev = await served.catalogue.digestOf(soon)
  const { releaseAtMs: _, ...out } = { ...content, prev }
  await served.catalogue.put(
    actedLog({ author, kind: 'track', subject: soon, content: await trackContent(soon, out, { by }) }),
  )
  expect(await related(41)).toContain(author)
})

test('a deleted track leaves the lists', async () => {
  const prev = await served.catalogue.digestOf(joga)
  const author = joga.slice(0, 42) as Address
  await served.catalogue.put(actedLog({ author, kind: 'delete', subject: joga, content: { prev } }))
  await rank()
  expect(await trending('list=all')).toEqual([hymn, heard])
  const { rows } = await served.catalogue.database.postgres.query('SELECT FROM ranking WHERE track = $1', [
    joga,
  ])
  expect(rows).toEqual([])
})
