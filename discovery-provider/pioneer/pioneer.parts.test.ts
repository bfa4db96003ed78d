import { type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import * as z from 'zod'
import {
  album,
  bjork,
  drafts,
  gone,
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
  silent,
} from '../fixtures/served-catalogue.ts'
import { actedLog } from '../fixtures/synthetic-network.ts'
import { opaqueSubject, opaqueUser } from './opaque-ids.ts'
import {
  dataOf,
  type PioneerTrack,
  pioneerFavoriteSchema,
  pioneerPlaylistSchema,
  pioneerRepostSchema,
  pioneerTrackSchema,
  pioneerUserSchema,
} from './shapes.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const site = 'https://discovery.example'
const [hymnId, jogaId, albumId, draftsId] = [hymn, joga, album, drafts].map(opaqueSubject)
const [guidoId, bjorkId] = [guido, bjork].map(opaqueUser)

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
  const by = { author: guido, subject: userSubject(guido) }
  await served.catalogue.put(
    actedLog({ ...by, kind: 'follow', content: { user: bjork, on: true, atMs: 1_000 } }),
    actedLog({ ...by, kind: 'save', content: { target: joga, on: true, atMs: 2_000 } }),
    actedLog({ ...by, kind: 'save', content: { target: album, on: true, atMs: 3_000 } }),
    actedLog({ ...by, kind: 'repost', content: { target: joga, on: true, atMs: 4_000 } }),
  )
  const plays = `INSERT INTO play (track, day, count) VALUES ($1, '2026-11-27', 3), ($1, '2026-11-28', 4)`
  await served.catalogue.database.postgres.query(plays, [joga])
})
afterAll(() => served.close())

/** As an app of the pioneer asks: by a base URL, with its own name. */
async function data<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
  const asked = `/pioneer/v1${path}${path.includes('?') ? '&' : '?'}app_name=SOME-APP&api_key=x`
  const { data } = await served.read(asked, z.object({ data: z.unknown() }))
  const parsed = schema.parse(data)
  expect(data).toEqual(parsed)
  return parsed
}
const tracks = (path: string) => data(path, z.array(pioneerTrackSchema))
const playlists = (path: string) => data(path, z.array(pioneerPlaylistSchema))
const users = (path: string) => data(path, z.array(pioneerUserSchema))
const titles = (list: readonly PioneerTrack[]) => list.map(({ title }) => title)
const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id)

describe('an app that chooses a host at its start', () => {
  test('is told of this one, below which everything is', async () => {
    const { data: hosts } = await served.read('/pioneer?app_name=x', dataOf(z.array(z.string())))
    expect(hosts).toEqual([`${site}/pioneer`])
  })
})

describe('a track', () => {
  test('has the fields that apps read, with its artist, and ids that lead back', async () => {
    const track = await data(`/tracks/${jogaId}`, pioneerTrackSchema)
    expect(track).toMatchObject({
      ...{ id: jogaId, title: 'Jóga', genre: 'Electronic', duration: 180, user_id: bjorkId },
      ...{ permalink: `/bjork/joga-${jogaId}`, play_count: 7, favorite_count: 1, repost_count: 1 },
      ...{ is_streamable: true, access: { stream: true, download: true }, remix_of: null },
      artwork: { '150x150': `${site}/v1/tracks/${joga}/cover` },
    })
    expect(track.user).toMatchObject({
      ...{ id: bjorkId, handle: 'bjork', name: 'Björk Guðmundsdóttir', wallet: bjork },
      ...{ follower_count: 1, track_count: 1, album_count: 1, playlist_count: 0 },
    })
    expect((await data(`/tracks/${hymnId}`, pioneerTrackSchema)).tags).toBe('medieval,solmisation')
  })

  test('is found in bulk, by permalink, by words, and among what is new', async () => {
    const nobody = opaqueSubject(gone)
    const bulk = [`/tracks?id=${hymnId}&id=${nobody}&id=${jogaId}`, `/tracks?id=${hymnId},${jogaId},0OO`]
    for (const path of bulk) expect(ids(await tracks(path))).toEqual([hymnId, jogaId])
    expect(ids(await tracks(`/tracks?permalink=/bjork/joga-${jogaId}`))).toEqual([jogaId])
    const both = `/tracks?permalink=/bjork/joga-${jogaId}&permalink=/guido/x-${hymnId}&permalink=/nobody`
    expect(ids(await tracks(both))).toEqual([jogaId, hymnId])
    expect(titles(await tracks('/tracks/search?query=joga&genre=Electronic'))).toEqual(['Jóga'])
    expect(titles(await tracks('/tracks/trending?time=week'))).toEqual(['Jóga', 'Ut queant laxis'])
    expect(titles(await tracks('/tracks/trending?genre=hip%20hop'))).toEqual(['Ut queant laxis'])
  })

  test('is asked for as apps ask while nothing is typed or chosen', async () => {
    expect(titles(await tracks('/tracks/trending?genre='))).toEqual(['Jóga', 'Ut queant laxis'])
    for (const nothing of ['', '%20', '%26%20-']) {
      expect(await tracks(`/tracks/search?query=${nothing}`)).toEqual([])
      expect(await users(`/users/search?query=${nothing}`)).toEqual([])
      expect(await playlists(`/playlists/search?query=${nothing}`)).toEqual([])
    }
    const twice = await served.get(`/pioneer/v1/tracks/${jogaId}?app_name=a&app_name=b&api_key=a&api_key=b`)
    expect(twice.status).toBe(200)
    expect(await served.problem('/pioneer/v1/tracks/search?query=a%00b')).toMatchObject({ status: 400 })
    expect(await served.problem('/pioneer/v1/tracks/search')).toMatchObject({ status: 400 })
  })

  test('comes in pages by limit and offset, which end', async () => {
    expect(titles(await tracks('/tracks/trending?limit=1'))).toEqual(['Jóga'])
    expect(titles(await tracks('/tracks/trending?limit=1&offset=1'))).toEqual(['Ut queant laxis'])
    expect(await tracks('/tracks/trending?limit=5000&offset=2')).toEqual([])
    expect(await tracks('/tracks/trending?offset=999999')).toEqual([])
    expect(await tracks('/tracks/search?query=joga&offset=1')).toEqual([])
    expect(await served.problem('/pioneer/v1/tracks/trending?limit=x')).toMatchObject({ status: 400 })
  })

  test('is streamed from a node that holds it, also for scripts that see no redirect', async () => {
    const { manifest } = (await (await served.get(`/v1/tracks/${joga}`)).json()) as { manifest: string }
    const file = `${served.node}/audio/${manifest}`
    const stream = await served.get(`/pioneer/v1/tracks/${jogaId}/stream?app_name=x&skip_play_count=true`)
    expect([stream.status, stream.headers.get('location')]).toEqual([302, file])
    expect(await data(`/tracks/${jogaId}/stream?no_redirect=true`, z.string())).toBe(file)
    const download = await served.get(`/pioneer/v1/tracks/${jogaId}/download`)
    expect(download.headers.get('location')).toContain('download=true')
  })

  test('that was deleted, or never was, is a problem', async () => {
    for (const below of ['', '/stream', '/download']) {
      expect(await served.problem(`/pioneer/v1/tracks/${opaqueSubject(gone)}${below}`)).toMatchObject({
        status: 410,
      })
    }
    expect(await served.problem('/pioneer/v1/tracks/D7KyD')).toMatchObject({ status: 400 })
    expect(await served.problem(`/pioneer/v1/tracks/${albumId}`)).toMatchObject({ status: 404 })
  })
})

describe('a user', () => {
  test('is found by id, in bulk, by handle or address, and by name', async () => {
    const bySelf = await data(`/users/${bjorkId}`, pioneerUserSchema)
    expect(bySelf.handle).toBe('bjork')
    expect(await data('/users/handle/Bjork', pioneerUserSchema)).toEqual(bySelf)
    expect(ids(await users(`/users?id=${guidoId}&id=${bjorkId}`))).toEqual([guidoId, bjorkId])
    expect(ids(await users('/users/search?query=guðmunds'))).toEqual([bjorkId])
    const nameless = await data(`/users/handle/${guido}`, pioneerUserSchema)
    expect(nameless).toMatchObject({ id: guidoId, handle: guido, name: guido, repost_count: 1 })
    expect(await served.problem(`/pioneer/v1/users/${opaqueUser(silent)}`)).toMatchObject({ status: 404 })
    expect(await served.problem('/pioneer/v1/users/handle/nobody')).toMatchObject({ status: 404 })
  })

  test('has tracks, albums, playlists, and what it follows, saves and reposts', async () => {
    expect(titles(await tracks(`/users/${guidoId}/tracks`))).toEqual(['Ut queant laxis'])
    expect(ids(await playlists(`/users/${bjorkId}/albums`))).toEqual([albumId])
    expect(await playlists(`/users/${bjorkId}/playlists`)).toEqual([])
    expect(ids(await users(`/users/${bjorkId}/followers`))).toEqual([guidoId])
    expect(ids(await users(`/users/${guidoId}/following`))).toEqual([bjorkId])
    const favorites = await data(`/users/${guidoId}/favorites`, z.array(pioneerFavoriteSchema))
    expect(favorites.map((one) => [one.favorite_type, one.favorite_item_id])).toEqual([
      ['SaveType.album', albumId],
      ['SaveType.track', jogaId],
    ])
    const reposts = await data(`/users/${guidoId}/reposts`, z.array(pioneerRepostSchema))
    expect(reposts.map(({ item }) => item.id)).toEqual([jogaId])
  })
})

describe('a playlist', () => {
  test('is a list of one, with its tracks elsewhere', async () => {
    const [found] = await playlists(`/playlists/${albumId}`)
    expect(found).toMatchObject({
      ...{ id: albumId, playlist_name: 'Homogenic', is_album: true, track_count: 3, favorite_count: 1 },
      ...{ permalink: `/bjork/album/homogenic-${albumId}`, user: { handle: 'bjork' } },
    })
    expect(found?.playlist_contents[0]?.track_id).toBe(jogaId)
    expect(titles(await tracks(`/playlists/${albumId}/tracks`))).toEqual(['Jóga', 'Ut queant laxis'])
  })

  test('is found in bulk and by words, and public ones are to be listened to', async () => {
    const mixed = `${guido}-21` as Subject
    const add = [hymn, hidden].map((track) => ({ track }))
    const content = { prev: null, title: 'Solfège', add }
    await served.catalogue.put(actedLog({ author: guido, kind: 'playlist', subject: mixed, content }))
    const mixedId = opaqueSubject(mixed)
    expect(ids(await playlists(`/playlists?id=${draftsId},${albumId}`))).toEqual([draftsId, albumId])
    expect(ids(await playlists('/playlists/search?query=solf'))).toEqual([mixedId])
    expect(ids(await playlists('/playlists/trending'))).toEqual([mixedId])
    expect(titles(await tracks(`/playlists/${mixedId}/tracks`))).toEqual(['Ut queant laxis'])
    expect(await served.problem(`/pioneer/v1/playlists/${hymnId}`)).toMatchObject({ status: 404 })
  })
})

describe('resolve', () => {
  test.each([
    ['a permalink of a track', `https://pioneer.example/bjork/joga-${jogaId}`, `tracks/${jogaId}`],
    ['one of somebody without a handle', `${site}/${guido}/ut-${hymnId}`, `tracks/${hymnId}`],
    ['a path alone', `/bjork/joga-${jogaId}`, `tracks/${jogaId}`],
    ['a permalink of an album', `${site}/bjork/album/homogenic-${albumId}`, `playlists/${albumId}`],
    ['a handle', 'https://pioneer.example/Bjork', `users/${bjorkId}`],
    ['a page of ours', `${site}/tracks/${hymn}`, `tracks/${hymnId}`],
    ['an address', `${site}/users/${guido}`, `users/${guidoId}`],
    ['an address in another spelling', `${site}/0x${'A1'.repeat(20)}`, `users/${guidoId}`],
  ])('leads to what %s means', async (_, url, place) => {
    const response = await served.get(`/pioneer/v1/resolve?app_name=x&url=${encodeURIComponent(url)}`)
    expect([response.status, response.headers.get('location')]).toEqual([302, `/pioneer/v1/${place}`])
  })

  test('takes the number of a page of ours for no id, though it may look like one', async () => {
    const list = subjectOf(guido, 33731736632270593488972525656n)
    const content = { prev: null, title: 'Of a large number' }
    await served.catalogue.put(actedLog({ author: guido, kind: 'playlist', subject: list, content }))
    const url = encodeURIComponent(`${site}/playlists/${list}`)
    const response = await served.get(`/pioneer/v1/resolve?url=${url}`)
    expect(response.headers.get('location')).toBe(`/pioneer/v1/playlists/${opaqueSubject(list)}`)
  })

  test('knows nothing of what is not in the catalogue', async () => {
    const status = async (url: string) =>
      (await served.problem(`/pioneer/v1/resolve?url=${encodeURIComponent(url)}`)).status
    expect(await status('https://pioneer.example/nobody')).toBe(404)
    expect(await status('https://pioneer.example/bjork/some-song')).toBe(404)
    expect(await status(`${site}/users/${silent}`)).toBe(404)
    expect(await status(`${site}/tracks/${gone}`)).toBe(410)
  })
})

test('an answer is not sent twice, and any origin may read it', async () => {
  const path = `/pioneer/v1/tracks/${jogaId}`
  const { headers } = await served.get(path)
  expect(headers.get('access-control-allow-origin')).toBe('*')
  const again = await served.get(path, { 'if-none-match': headers.get('etag') ?? '' })
  expect(again.status).toBe(304)
})
