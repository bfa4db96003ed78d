import { type Address, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import { listOf, noticeSchema } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import {
  album,
  bjork,
  guido,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { type Listener, newListener } from '../fixtures/subsonic-listener.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { opaqueSubject, opaqueUser } from '../pioneer/opaque-ids.ts'
import { rankChanged } from '../ranking/index.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const office: Address = `0x${'0f'.repeat(20)}`
const notice = subjectOf(office, 1n)
/** In the name of the track that is claimed, and of nothing else here. */
const word = 'Jóga'

let served: ServedCatalogue
let listener: Listener
let clock = firstSecond * 1000

const mark = (author: Address, kind: 'save' | 'repost' | 'follow', target: string) =>
  actedLog({
    ...{ author, kind, subject: userSubject(author) },
    content: { [kind === 'follow' ? 'user' : 'target']: target, on: true, atMs: ++clock },
  })

beforeAll(async () => {
  served = await serveCatalogue()
  listener = await newListener(served, '4d')
  const { account } = listener
  const by = operators.filter((_, index) => index !== 1)
  const again = {
    prev: await served.catalogue.digestOf(joga),
    title: word,
    artist: 'Björk',
    album: 'Homogenic',
  }
  const content = await trackContent(
    joga,
    { ...again, genre: 'Electronic', remixOf: [{ track: hymn, credit: 'sung' }] },
    { by },
  )
  await served.catalogue.put(
    actedLog({ author: bjork, kind: 'track', subject: joga, content }),
    ...[mark(account, 'save', joga), mark(account, 'repost', joga)],
    ...[mark(guido, 'follow', bjork), mark(bjork, 'follow', account)],
    actedLog({
      ...{ author: guido, kind: 'comment', subject: subjectOf(guido, 41n) },
      content: { prev: null, track: joga, text: 'Resonare' },
    }),
  )
  expect(await served.catalogue.lastVerdicts(6)).toEqual(Array(6).fill({ verdict: 'applied', reason: null }))
  const { postgres } = served.catalogue.database
  await postgres.query('INSERT INTO likeness VALUES ($1, $2, 1, 0)', [hymn, joga])
  await served.catalogue.index.honour([office])
})
afterAll(() => served.close())

const publish = (track: Subject, subject = notice, author = office) =>
  served.catalogue.put(
    actedLog({
      ...{ author, kind: 'notice', subject },
      content: {
        prev: null,
        track,
        ground: 'copyright',
        statement: 'It is ours',
        contact: 'desk@office.example',
      },
    }),
  )
const withdraw = async () => {
  const prev = await served.catalogue.digestOf(notice)
  await served.catalogue.put(actedLog({ author: office, kind: 'delete', subject: notice, content: { prev } }))
}

let asked = 20

/** Everywhere that the track stands. Answers about many are kept for a second: another length, another answer. */
function lists(): string[] {
  const limit = ++asked
  const them = listener.account
  return [
    '/v1/tracks',
    `/v1/tracks?author=${bjork}`,
    '/v1/tracks?genre=electronic',
    `/v1/tracks/trending?limit=${limit}`,
    `/v1/tracks/trending?list=underground&limit=${limit}`,
    `/v1/charts?limit=${limit}`,
    '/v1/search?q=joga',
    '/v1/search?q=joga&genre=electronic',
    '/v1/search/suggest?q=jog',
    `/v1/users/${them}/saves`,
    `/v1/users/${them}/reposts`,
    `/v1/users/${guido}/feed`,
    `/v1/users/${bjork}/feed`,
    `/v1/playlists/${album}`,
    `/v1/tracks/${hymn}/remixes`,
    `/v1/tracks/${hymn}/alike`,
    ...['feed.xml', 'tracks.m3u8', 'tracks.xspf'].flatMap((file) => [
      `/v1/users/${bjork}/${file}`,
      `/v1/playlists/${album}/${file}`,
    ]),
    `/users/${bjork}`,
    `/playlists/${album}`,
    '/pioneer/v1/tracks/search?query=joga',
    `/pioneer/v1/tracks/trending?limit=${limit}`,
    `/pioneer/v1/tracks?id=${opaqueSubject(joga)}`,
    `/pioneer/v1/playlists/${opaqueSubject(album)}/tracks`,
    `/pioneer/v1/users/${opaqueUser(bjork)}/tracks`,
    `/pioneer/v1/users/${opaqueUser(them)}/favorites`,
    `/pioneer/v1/users/${opaqueUser(them)}/reposts`,
  ]
}

const players: [method: string, query: Record<string, string>][] = [
  ['getAlbum', { id: `al-${album}` }],
  ['getPlaylist', { id: `pl-${album}` }],
  ['getMusicDirectory', { id: `al-${album}` }],
  ['search3', { query: 'joga' }],
  ['search3', { query: '' }],
  ['getStarred2', {}],
  ['getSong', { id: `tr-${joga}` }],
  ['getSongsByGenre', { genre: 'Electronic' }],
  ['getRandomSongs', { size: '100' }],
]

/** Those of the lists in which the track stands. */
async function placesOfTrack(): Promise<string[]> {
  await rankChanged(served.catalogue.database.postgres, { nowMs: clock + 60_000, batches: 10 })
  const places: string[] = []
  for (const path of lists()) {
    const response = await served.get(path)
    const text = await response.text()
    expect([path, response.status]).toEqual([path, 200])
    if ([word, 'favorite_item_id'].some((one) => text.includes(one)))
      places.push(path.replace(/limit=\d+/, ''))
  }
  for (const [method, query] of players) {
    if (JSON.stringify(await listener.ask(method, query)).includes(word))
      places.push(`${method} ${query.id ?? ''}`)
  }
  return places
}

const everywhere = () => [
  ...lists().map((path) => path.replace(/limit=\d+/, '')),
  ...players.map(([method, { id = '' }]) => `${method} ${id}`),
]

describe('a track that is taken down here', () => {
  test('stands in no list until its notice is withdrawn, and then in all of them again', async () => {
    expect(await placesOfTrack()).toEqual(everywhere())
    await publish(joga)
    expect(await placesOfTrack()).toEqual([])
    await withdraw()
    expect(await placesOfTrack()).toEqual(everywhere())
  })

  test('stands in all of them again when a reorganisation takes the notice', async () => {
    const { index } = served.catalogue
    await index.takeBack(index.checkpoint.indexed - 1)
    expect(await placesOfTrack()).toEqual([])
    await index.takeBack(index.checkpoint.indexed - 1)
    expect(await placesOfTrack()).toEqual(everywhere())
    await served.catalogue.catchUp()
  })

  test('is gone under its own name, with whose notice it was, and why', async () => {
    const second = subjectOf(office, 2n)
    await publish(joga, second)
    const paths = [
      ...[
        '',
        '/stream',
        '/stream?format=file',
        '/audio.m4a',
        '/download',
        '/comments',
        '/remixes',
        '/stems',
        '/alike',
      ],
      '/cover',
    ].map((path) => `/v1/tracks/${joga}${path}`)
    const page = encodeURIComponent(`https://discovery.example/tracks/${joga}`)
    const further = [`/tracks/${joga}`, `/tracks/${joga}/player`, `/oembed?url=${page}`]
    const pioneer = ['', '/stream', '/download'].map(
      (path) => `/pioneer/v1/tracks/${opaqueSubject(joga)}${path}`,
    )
    for (const path of [...paths, ...further, ...pioneer]) {
      const problem = await served.problem(path)
      expect([path, problem]).toEqual([
        path,
        expect.objectContaining({
          ...{ status: 410, type: 'urn:hexachord:problem:taken-down', title: 'Taken down' },
          ...{ track: joga, notice: second, by: office, ground: 'copyright' },
          detail: expect.stringContaining(second),
        }),
      ])
      expect(problem.detail).not.toContain('It is ours')
    }
    for (const method of ['getSong', 'stream', 'download']) {
      const answer = await listener.ask(method, { id: `tr-${joga}` })
      expect(answer).toEqual({ error: { code: 70, message: expect.stringContaining(second) } })
    }
    // What is no longer in the catalogue at all is no matter of notices.
    const never = subjectOf(bjork, 77n)
    await publish(never, subjectOf(office, 3n))
    expect(await served.problem(`/v1/tracks/${never}`)).toMatchObject({ status: 404 })
  })
})

describe('the notices', () => {
  test('are listed with whether they are honoured here, by track, by author and page by page', async () => {
    const stranger: Address = `0x${'5e'.repeat(20)}`
    const theirs = subjectOf(stranger, 1n)
    await publish(hymn, theirs, stranger)
    const read = (query = '') => served.read(`/v1/notices?${query}`, listOf(noticeSchema))
    const ids = async (query: string) => (await read(query)).items.map(({ id }) => id)
    const { items } = await read()
    expect(items.map(({ id, honoured }) => [id, honoured])).toEqual([
      [theirs, false],
      [subjectOf(office, 3n), true],
      [subjectOf(office, 2n), true],
    ])
    expect(items[0]).toMatchObject({
      ...{ author: stranger, track: hymn, ground: 'copyright', statement: 'It is ours' },
      contact: 'desk@office.example',
      last: { digest: await served.catalogue.digestOf(theirs) },
    })
    expect(await ids(`track=${hymn}`)).toEqual([theirs])
    expect(await ids(`author=${office}&track=${joga}`)).toEqual([subjectOf(office, 2n)])
    expect(await ids(`author=${office}`)).toEqual([subjectOf(office, 3n), subjectOf(office, 2n)])
    const first = await read('limit=2')
    expect(await ids(`limit=2&cursor=${first.next}`)).toEqual([subjectOf(office, 2n)])
    expect((await served.get('/v1/notices?track=nothing')).status).toBe(400)
    // Who reads does not choose: another choice of the writer's is told by the next answer.
    await served.catalogue.index.honour([stranger])
    expect((await read()).items.map(({ honoured }) => honoured)).toEqual([true, false, false])
    expect((await served.get(`/v1/tracks/${joga}`)).status).toBe(200)
    expect((await served.get(`/v1/tracks/${hymn}`)).status).toBe(410)
  })
})
