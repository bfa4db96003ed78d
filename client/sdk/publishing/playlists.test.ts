import {
  openAction,
  type PlaylistContent,
  type SignedAction,
  signedActionSchema,
} from '@hexachord/protocol/actions'
import { type Subject, subjectOf } from '@hexachord/protocol/names'
import type { Playlist } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  answerJson,
  answerProblem,
  connectionTo,
  domain,
  type HttpServer,
  serve,
} from '../fixtures/index.ts'
import { changePlaylist, createPlaylist, publishAlbum } from './index.ts'

/** More than one action takes. */
const tracks = Array.from({ length: 150 }, (_, index) =>
  subjectOf(account.address, 10n ** 28n + BigInt(index)),
)

const others = tracks.map((_, index) => subjectOf(account.address, BigInt(index + 1)))

/** Discovery and creator node in one: of a playlist it keeps title and tracks, and where its last action stands. */
let server: HttpServer
/** Actions that it takes before it refuses. */
let taken = Infinity
const playlists = new Map<string, Playlist>()
let actions: SignedAction[]
const connection = () => connectionTo({ discovery: server.origin, creators: [server.origin] })
const contents = () => actions.map(({ content }) => JSON.parse(content))

beforeAll(async () => {
  server = await serve(async (request, response) => {
    const path = request.url ?? ''
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (path === '/actions') {
      let body = ''
      for await (const chunk of request) body += chunk
      const signed = signedActionSchema.parse(JSON.parse(body))
      const { hash } = openAction(signed, domain)
      if (actions.length >= taken) return answerProblem(response, 422, 'it is cut off here')
      actions.push(signed)
      const before = playlists.get(signed.subject)
      const { title = before?.title ?? '', ...content }: PlaylistContent = JSON.parse(signed.content)
      playlists.set(signed.subject, {
        ...{ id: signed.subject, author: account.address, title, description: null, album: true },
        ...{ trackIds: changed(before?.trackIds ?? [], content), tracks: [], unlisted: false, cover: null },
        ...{ sealed: null, saveCount: 0, repostCount: 0, createdAtMs: 0, updatedAtMs: 0 },
        last: { block: 1, logIndex: 0, digest: hash },
      })
      return answerJson(response, { hash }, 202)
    }
    if (path.startsWith('/v1/actions/')) return answerJson(response, { hash: name, status: 'applied' })
    const found = playlists.get(name)
    return found ? answerJson(response, found) : answerProblem(response, 404, 'no such playlist')
  })
})
beforeEach(() => {
  actions = []
  taken = Infinity
})
afterAll(() => server.close())

/** As the rule of the playlist action does it. */
function changed(
  before: readonly Subject[],
  { remove = [], add = [], move = [] }: Pick<PlaylistContent, 'remove' | 'add' | 'move'>,
): Subject[] {
  const list = before.filter((track) => !remove.includes(track))
  for (const { track } of add) if (!list.includes(track)) list.push(track)
  for (const { track, to } of move) list.splice(to, 0, ...list.splice(list.indexOf(track), 1))
  return list
}

describe('a playlist', () => {
  test('is made in as many actions as its tracks need, each upon the one before', async () => {
    const made = await createPlaylist(connection(), account, {
      title: 'Mornings',
      unlisted: true,
      add: tracks,
    })
    const opened = actions.map((signed) => openAction(signed, domain))
    expect(opened.map(({ subject }) => subject)).toEqual(opened.map(() => made.id))
    const [first, second] = contents()
    expect(first).toMatchObject({ prev: null, title: 'Mornings', unlisted: true })
    expect(second).toEqual({ prev: opened[0]?.hash, add: expect.anything() })
    expect(made).toMatchObject({ trackIds: tracks, last: { digest: opened.at(-1)?.hash } })
  })

  test('is changed upon what it was, by one action where all fits into it', async () => {
    const [track, other, third] = tracks as [Subject, Subject, Subject]
    const { id, last } = await createPlaylist(connection(), account, {
      title: 'Mornings',
      add: [track, other],
    })
    const changes = { description: 'Early', remove: [track], add: [other, third] }
    const { trackIds } = await changePlaylist(connection(), account, id, changes)
    expect(trackIds).toEqual([other, third])
    expect(contents().slice(1)).toEqual([
      { prev: last.digest, description: 'Early', remove: [track], add: [{ track: third }] },
    ])
    await changePlaylist(connection(), account, id, { add: [other], remove: [track] })
    expect(actions).toHaveLength(2)
    const move = [{ track: third, to: 0 }]
    await expect(changePlaylist(connection(), account, id, { move })).resolves.toMatchObject({
      trackIds: [third, other],
    })
  })

  test.each([
    ['changed', (id: Subject) => changePlaylist(connection(), account, id, { remove: tracks, add: others })],
    [
      'ordered',
      (id: Subject) =>
        publishAlbum(connection(), account, {
          ...{ subject: id, title: 'Mornings', tracks: tracks.toReversed() },
        }),
    ],
  ])('that is cut off while it is %s has lost no track', async (_, change) => {
    const { id } = await createPlaylist(connection(), account, { title: 'Mornings', add: tracks })
    taken = actions.length + 1
    await expect(change(id)).rejects.toThrow('it is cut off here')
    expect(playlists.get(id)?.trackIds).toEqual(expect.arrayContaining(tracks))
    taken = Infinity
    await change(id)
  })

  test('that would hold too many is not begun', async () => {
    const many = Array.from({ length: 2_001 }, (_, index) => subjectOf(account.address, BigInt(index + 1)))
    await expect(createPlaylist(connection(), account, { title: 'All', add: many })).rejects.toThrow(
      'a playlist holds 2000 tracks, these are 2001',
    )
    expect(actions).toEqual([])
  })

  test('that is not there is not made by a change', async () => {
    const unknown = subjectOf(account.address, 99n)
    await expect(changePlaylist(connection(), account, unknown, { title: 'New' })).rejects.toMatchObject({
      status: 404,
    })
    expect(actions).toEqual([])
  })
})
