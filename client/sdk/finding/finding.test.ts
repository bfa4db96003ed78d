import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { Connection } from '../connect/index.ts'
import {
  account,
  answerJson,
  answerProblem,
  connectionTo,
  type HttpServer,
  serve,
  subject,
  trackOf,
} from '../fixtures/index.ts'
import { findPlaylist, findTrack, findUser, listPlaylists, listTracks, search, trackFor } from './index.ts'

const manifest = 'baguqeerasords4njcts6vs7qvdjfcvgnume4hqohf65zsfguprqphs3icwea'
const track = trackOf(
  subject,
  { cid: manifest, byteLength: 10, manifest: { v: 1, kind: 'track', durationMs: 1000, renditions: [] } },
  ['https://holder.example'],
)
const user = {
  id: account.address,
  handle: 'guido',
  name: 'Guido',
  bio: null,
  links: [],
  picture: null,
  sealingKey: null,
  controller: account.address,
  trackCount: 1,
  followerCount: 0,
  followingCount: 0,
  createdAtMs: 1,
  updatedAtMs: 1,
  last: null,
}

let discovery: HttpServer
let connection: Connection
let found: unknown[]

beforeAll(async () => {
  discovery = await serve((request, response) => {
    const url = new URL(request.url ?? '', 'http://discovery')
    if (url.pathname === `/v1/tracks/${subject}`) return answerJson(response, track)
    if (url.pathname === '/v1/tracks') return answerJson(response, { items: [track], next: 'more' })
    if (url.pathname === `/v1/users/${account.address}/playlists`)
      return answerJson(response, { items: [], next: null })
    if (url.pathname === `/v1/users/${account.address}`) return answerJson(response, user)
    if (url.pathname === '/v1/resolve' && url.searchParams.get('handle') === 'guido') {
      return answerJson(response, { kind: 'user', id: account.address })
    }
    if (url.pathname === '/v1/search')
      return answerJson(response, { tracks: found, users: [], playlists: [] })
    return answerProblem(response, 404, 'nothing there')
  })
  connection = connectionTo({ discovery: discovery.origin })
})
beforeEach(() => {
  found = [track]
  discovery.requests.length = 0
})
afterAll(() => discovery.close())

describe('finding', () => {
  test('a track by its id', async () => {
    await expect(findTrack(connection, subject)).resolves.toEqual({ ...track, terms: null })
  })

  test('tracks, page by page', async () => {
    const page = await listTracks(connection, { author: account.address, cursor: 'a/b', limit: 5 })
    expect(page).toEqual({ items: [track], next: 'more' })
    expect(discovery.requests).toEqual([`GET /v1/tracks?author=${account.address}&cursor=a%2Fb&limit=5`])
  })

  test('albums and playlists of an author', async () => {
    const author = account.address
    await expect(listPlaylists(connection, { author, album: true, limit: 5 })).resolves.toEqual({
      items: [],
      next: null,
    })
    await listPlaylists(connection, { author, album: false, cursor: 'a' })
    expect(discovery.requests).toEqual([
      `GET /v1/users/${author}/playlists?album=true&limit=5`,
      `GET /v1/users/${author}/playlists?album=false&cursor=a`,
    ])
  })

  test('a user by address in any case, or by handle', async () => {
    const mixed = `0x${account.address.slice(2).toUpperCase()}`
    await expect(findUser(connection, mixed)).resolves.toEqual(user)
    await expect(findUser(connection, '@Guido')).resolves.toEqual(user)
    await expect(findUser(connection, 'nobody')).rejects.toMatchObject({ status: 404 })
    await expect(findUser(connection, '0x12')).rejects.toThrow('is not an address')
  })

  test('nothing where there is nothing', async () => {
    await expect(findPlaylist(connection, subject)).rejects.toMatchObject({ status: 404 })
  })

  test('words with what belongs into a URL', async () => {
    await expect(search(connection, 'six & notes')).resolves.toMatchObject({ tracks: [track] })
    expect(discovery.requests).toEqual(['GET /v1/search?q=six+%26+notes'])
  })

  test.each([
    subject,
    subject.toUpperCase().replace('0X', '0x'),
    `https://discovery.example/v1/tracks/${subject}/stream`,
    `hexachord://${subject}`,
  ])('the track that %s means', async (text) => {
    await expect(trackFor(connection, text)).resolves.toEqual({ ...track, terms: null })
    expect(discovery.requests).toEqual([`GET /v1/tracks/${subject}`])
  })

  test('the track that words mean', async () => {
    await expect(trackFor(connection, 'six notes')).resolves.toEqual(track)
    found = []
    await expect(trackFor(connection, 'seven notes')).rejects.toThrow("no track is found for 'seven notes'")
  })
})
