import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import SubsonicAPI from 'subsonic-api'
import { bjork, guido, hymn, type ServedCatalogue } from '../fixtures/served-catalogue.ts'
import {
  homogenic,
  listener,
  serveListener,
  singlesOfGuido,
  songOfJoga,
} from '../fixtures/served-listener.ts'
import type { Listener } from '../fixtures/subsonic-listener.ts'

let served: ServedCatalogue
let me: Listener
const ask: Listener['ask'] = (...asked) => me.ask(...asked)

beforeAll(async () => {
  ;({ served, me } = await serveListener())
})
afterAll(() => served.close())

describe('a player', () => {
  test.each([
    ['by token and salt', {}],
    ['by a form', { post: true }],
  ])('logs in %s, finds an album, and is sent to its audio', async (_, options) => {
    const { username, password: secret } = me.password
    const player = new SubsonicAPI({ url: served.origin, auth: { username, password: secret }, ...options })
    expect(await player.ping()).toMatchObject({ status: 'ok', openSubsonic: true, type: 'hexachord' })
    const { artists } = await player.getArtists()
    expect(artists.index?.map(({ name, artist }) => [name, artist?.map((one) => one.name)])).toEqual([
      ['B', ['Björk Guðmundsdóttir']],
      ['G', ['Guido']],
    ])
    const { albumList2 } = await player.getAlbumList2({ type: 'alphabeticalByName' })
    expect(albumList2.album).toMatchObject([homogenic, singlesOfGuido])
    const { album: found } = await player.getAlbum({ id: homogenic.id })
    // The second track of three was deleted, and the third is somebody else's.
    expect(found).toMatchObject({
      ...homogenic,
      song: [songOfJoga, { id: `tr-${hymn}`, track: 3, albumId: homogenic.id, artistId: `ar-${guido}` }],
    })
    // It has followed us there, where the audio would be.
    const audio = await player.stream({ id: songOfJoga.id })
    expect(audio.url).toMatch(new RegExp(`^${served.node}/audio/baguqeera\\w+$`))
  })

  test('logs in by its API key alone', async () => {
    const player = new SubsonicAPI({ url: served.origin, auth: { apiKey: me.password.password } })
    expect(await player.ping()).toMatchObject({ status: 'ok' })
    expect((await player.getAlbum({ id: singlesOfGuido.id })).album).toMatchObject({
      ...singlesOfGuido,
      song: [{ id: `tr-${hymn}`, albumId: singlesOfGuido.id, isrc: [], moods: [] }],
    })
    expect(await ask('tokenInfo')).toEqual({ tokenInfo: { username: 'listener' } })
  })

  test('may write the address instead of the handle, in any case', async () => {
    for (const username of [me.wallet.address, listener, 'LISTENER']) {
      const player = new SubsonicAPI({
        url: served.origin,
        auth: { username, password: me.password.password },
      })
      expect(await player.ping()).toMatchObject({ status: 'ok' })
    }
    const other = new SubsonicAPI({
      url: served.origin,
      auth: { username: bjork, password: me.password.password },
    })
    expect(await other.ping()).toMatchObject({ status: 'failed', error: { code: 40 } })
  })

  test('gets XML when it asks for nothing else', async () => {
    const response = await fetch(
      `${served.origin}/rest/getAlbum.view?id=${homogenic.id}&apiKey=${me.password.password}&v=1.8.0&c=test`,
    )
    expect(response.headers.get('content-type')).toBe('application/xml; charset=utf-8')
    const xml = await response.text()
    expect(xml).toContain(
      '<subsonic-response xmlns="http://subsonic.org/restapi" status="ok" version="1.16.1"',
    )
    expect(xml).toMatch(
      new RegExp(`<album id="${homogenic.id}" name="Homogenic" artist="Björk Guðmundsdóttir" `),
    )
    expect(xml.match(/<song /g)).toHaveLength(2)
  })
})

describe('what is wrong is said in the form of the protocol', () => {
  test.each([
    ['no version', { v: '' }, 10],
    ['no name of the player', { c: '' }, 10],
    ['a version that is none', { v: 'one' }, 0],
    ['a version of long ago', { v: '0.9.0' }, 20],
    ['a version to come', { v: '1.17.0' }, 30],
    ['a version far to come', { v: '2.0.0' }, 30],
    ['a wrong key', { apiKey: 'x' }, 44],
    ['a user beside the key', { u: 'listener' }, 43],
  ])('%s', async (_, query, code) => {
    expect(await ask('ping', query)).toEqual({ error: { code, message: expect.any(String) } })
  })

  test('of another user nothing is told', async () => {
    expect(await ask('getUser', { username: 'bjork' })).toMatchObject({ error: { code: 50 } })
    expect(await ask('getUser', { username: 'listener' })).toMatchObject({
      user: { username: 'listener', streamRole: true, adminRole: false, folder: [1] },
    })
    expect(await ask('getLicense')).toEqual({ license: { valid: true } })
  })

  test.each(['nothing', 'constructor', 'ping/x', ''])('there is no method %o', async (method) => {
    const response = await fetch(`${served.origin}/rest/${method}?f=json`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({
      'subsonic-response': { status: 'failed', error: { code: 0 } },
    })
  })

  test('whoever asks may know which extensions there are', async () => {
    const response = await fetch(`${served.origin}/rest/getOpenSubsonicExtensions?f=json`)
    expect(await response.json()).toMatchObject({
      'subsonic-response': {
        openSubsonicExtensions: [
          { name: 'apiKeyAuthentication', versions: [1] },
          { name: 'formPost', versions: [1] },
        ],
      },
    })
  })

  test('in the form that a form asks for, whatever else is wrong with it', async () => {
    const fields = { f: 'json', v: '1.16.1', c: 'test', apiKey: me.password.password }
    const many = Array.from({ length: 5_000 }, (_, n) => `&songId=${n}`).join('')
    const body = `${new URLSearchParams(fields)}&name=Many${many}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const response = await fetch(`${served.origin}/rest/createPlaylist`, { method: 'POST', headers, body })
    expect(await response.json()).toMatchObject({
      'subsonic-response': { error: { code: 0, message: "'songId' may be given at most 2000 times" } },
    })
  })

  test('of a form that is too long, or of a verb that is none', async () => {
    const long = await fetch(`${served.origin}/rest/ping?f=json`, {
      method: 'POST',
      body: new URLSearchParams({ u: 'x'.repeat(600_000) }),
    })
    expect([long.status, await long.json()]).toMatchObject([
      413,
      { 'subsonic-response': { status: 'failed' } },
    ])
    const deleted = await fetch(`${served.origin}/rest/ping`, { method: 'DELETE' })
    expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
  })
})
