import { openAction, type SignedAction, signedActionSchema } from '@hexachord/protocol/actions'
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
import { changePlaylist, createPlaylist } from './index.ts'

const tracks = Array.from({ length: 61 }, (_, index) => subjectOf(account.address, BigInt(index + 1)))

/** Discovery and creator node in one: of a playlist it keeps the names, and where its last action stands. */
let server: HttpServer
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
      actions.push(signed)
      playlists.set(signed.subject, {
        ...{
          id: signed.subject,
          author: account.address,
          title: 'Mornings',
          description: null,
          album: false,
        },
        ...{ unlisted: false, trackIds: [], tracks: [], cover: null, sealed: null, saveCount: 0 },
        ...{ repostCount: 0, createdAtMs: 0, updatedAtMs: 0, last: { block: 1, logIndex: 0, digest: hash } },
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
})
afterAll(() => server.close())

describe('a playlist', () => {
  test('is made in as many actions as its tracks need, each upon the one before', async () => {
    const made = await createPlaylist(connection(), account, {
      title: 'Mornings',
      unlisted: true,
      add: tracks,
    })
    const [first, second] = actions.map((signed) => openAction(signed, domain))
    expect(actions.map(({ subject }) => subject)).toEqual([made.id, made.id])
    expect(contents()).toEqual([
      { prev: null, title: 'Mornings', unlisted: true, add: tracks.slice(0, 60).map((track) => ({ track })) },
      { prev: first?.hash, add: [{ track: tracks[60] }] },
    ])
    expect(made.last.digest).toBe(second?.hash)
  })

  test('is changed upon what it was', async () => {
    const { id, last } = await createPlaylist(connection(), account, { title: 'Mornings' })
    const [track, other] = tracks as [Subject, Subject]
    await changePlaylist(connection(), account, id, { description: 'Early', remove: [track], add: [other] })
    const [, removal, addition] = contents()
    expect(removal).toEqual({ prev: last.digest, description: 'Early', remove: [track] })
    expect(addition).toMatchObject({ add: [{ track: other }] })
  })

  test('that is not there is not made by a change', async () => {
    const unknown = subjectOf(account.address, 99n)
    await expect(changePlaylist(connection(), account, unknown, { title: 'New' })).rejects.toMatchObject({
      status: 404,
    })
    expect(actions).toEqual([])
  })
})
