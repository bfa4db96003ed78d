import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import SubsonicAPI from 'subsonic-api'
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
} from '../fixtures/served-catalogue.ts'
import { type Listener, newListener } from '../fixtures/subsonic-listener.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog } from '../fixtures/synthetic-network.ts'

const listener = new Wallet(`0x${'1e'.repeat(32)}`).address.toLowerCase() as Address
const mine = subjectOf(listener, 1n)
/** Private. */
const diary = subjectOf(listener, 2n)
const savedAtMs = firstSecond * 1000

let served: ServedCatalogue
let me: Listener
const ask: Listener['ask'] = (...asked) => me.ask(...asked)

beforeAll(async () => {
  served = await serveCatalogue()
  await served.catalogue.put(
    actedLog({
      author: listener,
      kind: 'user',
      subject: userSubject(listener),
      content: { prev: null, handle: 'listener' },
    }),
    actedLog({
      author: listener,
      kind: 'playlist',
      subject: mine,
      content: {
        prev: null,
        title: 'Mornings',
        unlisted: true,
        add: [{ track: joga }, { track: gone }, { track: hymn }],
      },
    }),
    actedLog({
      author: bjork,
      kind: 'playlist',
      subject: album,
      content: { prev: await served.catalogue.digestOf(album), description: 'State of emergency' },
    }),
    actedLog({
      author: bjork,
      kind: 'playlist',
      subject: subjectOf(bjork, 4n),
      content: { prev: null, title: 'Evenings', add: [{ track: hymn }] },
    }),
    actedLog({
      ...{ author: listener, kind: 'playlist', subject: diary },
      content: {
        prev: null,
        sealed: { from: `0x${'05'.repeat(32)}`, keys: ['A'.repeat(64)], box: 'c2VhbGVk' },
      },
    }),
    ...[joga, album, gone, hymn, subjectOf(bjork, 4n)].map((target, place) =>
      actedLog({
        ...{ author: listener, kind: 'save', subject: userSubject(listener) },
        content: { target, on: true, atMs: savedAtMs + place },
      }),
    ),
  )
  me = await newListener(served, '1e')
})
afterAll(() => served.close())

const homogenic = { id: `al-${album}`, name: 'Homogenic', artist: 'Björk Guðmundsdóttir', songCount: 2 }
const singlesOfGuido = { id: `al-${guido}`, name: 'Singles', artist: 'Guido', songCount: 1, duration: 180 }
const songOfJoga = {
  id: `tr-${joga}`,
  parent: `al-${album}`,
  isDir: false,
  title: 'Jóga',
  album: 'Homogenic',
  albumId: `al-${album}`,
  artist: 'Björk',
  artistId: `ar-${bjork}`,
  displayAlbumArtist: 'Björk Guðmundsdóttir',
  track: 1,
  genre: 'Electronic',
  genres: [{ name: 'Electronic' }],
  duration: 180,
  suffix: 'm4a',
  contentType: 'audio/mp4',
  type: 'music',
}

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

describe('browsing', () => {
  test('goes from the folder to artists, albums and songs', async () => {
    expect(await ask('getMusicFolders')).toEqual({
      musicFolders: { musicFolder: [{ id: 1, name: 'Hexachord' }] },
    })
    const { indexes } = await ask('getIndexes')
    expect(indexes).toMatchObject({
      ignoredArticles: '',
      lastModified: expect.any(Number),
      index: [
        { name: 'B', artist: [{ id: `ar-${bjork}`, name: 'Björk Guðmundsdóttir' }] },
        { name: 'G', artist: [{ id: `ar-${guido}`, name: 'Guido' }] },
      ],
    })
    const ifModifiedSince = String((indexes as { lastModified: number }).lastModified)
    expect(await ask('getIndexes', { ifModifiedSince })).toMatchObject({ indexes: { index: [] } })
    expect(await ask('getMusicDirectory', { id: '1' })).toMatchObject({
      directory: { child: [{ id: `ar-${bjork}`, isDir: true }, { id: `ar-${guido}` }] },
    })
    expect(await ask('getMusicDirectory', { id: `ar-${bjork}` })).toMatchObject({
      directory: {
        name: 'Björk Guðmundsdóttir',
        child: [{ id: homogenic.id, isDir: true, title: 'Homogenic' }],
      },
    })
    expect(await ask('getMusicDirectory', { id: homogenic.id })).toMatchObject({
      directory: { parent: `ar-${bjork}`, child: [songOfJoga, { id: `tr-${hymn}` }] },
    })
  })

  test('knows one artist, one song and what has been written of an artist', async () => {
    expect(await ask('getArtist', { id: `ar-${guido}` })).toMatchObject({
      artist: { id: `ar-${guido}`, name: 'Guido', albumCount: 1, album: [singlesOfGuido] },
    })
    expect(await ask('getSong', { id: `tr-${joga}` })).toMatchObject({ song: songOfJoga })
    // Unlisted is not secret: who has the id can hear it, and it stands in no album.
    const { song } = await ask('getSong', { id: `tr-${hidden}` })
    expect(song).toMatchObject({ title: 'Ut hidden', parent: `ar-${guido}` })
    expect(song).not.toHaveProperty('albumId')
    expect(await ask('getArtistInfo2', { id: `ar-${bjork}` })).toEqual({ artistInfo2: {} })
    expect(await ask('getArtistInfo', { id: `ar-${bjork}` })).toEqual({ artistInfo: {} })
  })

  test('counts genres', async () => {
    expect(await ask('getGenres')).toEqual({
      genres: {
        genre: [
          { value: 'Electronic', songCount: 1, albumCount: 1 },
          { value: 'Hip-Hop', songCount: 1, albumCount: 1 },
        ],
      },
    })
  })

  test.each([
    ['getSong', `tr-${gone}`],
    ['getSong', `al-${album}`],
    ['getAlbum', `al-${drafts}`],
    ['getAlbum', 'nothing'],
    ['getArtist', `ar-${listener}`],
    ['getPlaylist', `pl-${gone}`],
    ['getPlaylist', `pl-${diary}`],
    ['getAlbum', `al-${diary}`],
    ['getMusicDirectory', '7'],
    ['stream', `tr-${gone}`],
    ['download', 'tr-1'],
    ['getCoverArt', homogenic.id],
    ['getCoverArt', `ar-${bjork}`],
  ])('%s of %s finds nothing', async (method, id) => {
    expect(await ask(method, { id })).toEqual({ error: { code: 70, message: expect.any(String) } })
  })
})

describe('lists', () => {
  const names = async (query: Record<string, string>) => {
    const { albumList2 } = (await ask('getAlbumList2', query)) as {
      albumList2: { album: { name: string }[] }
    }
    return albumList2.album.map(({ name }) => name)
  }

  test.each([
    [{ type: 'alphabeticalByArtist' }, ['Homogenic', 'Singles']],
    [{ type: 'alphabeticalByName', size: '1', offset: '1' }, ['Singles']],
    [{ type: 'alphabeticalByName', size: '500', offset: '2' }, []],
    [{ type: 'byGenre', genre: 'hip hop' }, ['Singles']],
    [{ type: 'byYear', fromYear: '1990', toYear: '1991' }, []],
    [{ type: 'starred' }, ['Homogenic']],
    [{ type: 'starred', offset: '1' }, []],
    [{ type: 'highest' }, []],
    [{ type: 'frequent' }, []],
    [{ type: 'recent' }, []],
  ])('of albums: %o', async (query, expected) => {
    expect(await names(query)).toEqual(expected)
  })

  test('of albums by year run either way, newest first and at random hold all', async () => {
    const years = { fromYear: '1970', toYear: '2100' }
    const forwards = await names({ type: 'byYear', ...years })
    expect([...forwards].sort()).toEqual(['Homogenic', 'Singles'])
    const backwards = { fromYear: years.toYear, toYear: years.fromYear }
    expect(await names({ type: 'byYear', ...backwards })).toEqual([...forwards].reverse())
    expect(await names({ type: 'newest' })).toEqual([...forwards].reverse())
    expect((await names({ type: 'random' })).sort()).toEqual(['Homogenic', 'Singles'])
    expect(await ask('getAlbumList', { type: 'alphabeticalByName' })).toMatchObject({
      albumList: {
        album: [{ id: homogenic.id, isDir: true, title: 'Homogenic' }, { id: singlesOfGuido.id }],
      },
    })
  })

  test.each([
    [{}, 10],
    [{ type: 'loudest' }, 0],
    [{ type: 'constructor' }, 0],
    [{ type: 'byGenre' }, 10],
    [{ type: 'byYear', fromYear: '1990' }, 10],
    [{ type: 'newest', size: 'all' }, 0],
    [{ type: 'byGenre', genre: 'a\0b' }, 0],
  ] as [Record<string, string>, number][])('that make no sense are refused: %o', async (query, code) => {
    expect(await ask('getAlbumList2', query)).toMatchObject({ error: { code } })
  })

  test('of songs: some at random, and those of a genre', async () => {
    const ids = async (method: string, query: Record<string, string>) => {
      const [list] = Object.values(await ask(method, query)) as { song: { id: string }[] }[]
      return list?.song.map(({ id }) => id).sort()
    }
    expect(await ids('getRandomSongs', {})).toEqual([`tr-${hymn}`, `tr-${joga}`].sort())
    expect(await ids('getRandomSongs', { size: '1' })).toHaveLength(1)
    expect(await ids('getRandomSongs', { genre: 'ELECTRONIC' })).toEqual([`tr-${joga}`])
    expect(await ids('getRandomSongs', { toYear: '1969' })).toEqual([])
    expect(await ids('getSongsByGenre', { genre: 'Hip-Hop' })).toEqual([`tr-${hymn}`])
    expect(await ids('getSongsByGenre', { genre: 'Hip-Hop', offset: '1' })).toEqual([])
  })

  test('of favourites have what the listener has saved, newest first', async () => {
    // When the chain had it.
    const starred = expect.stringMatching(/^2023-11-14T22:14:\d\d\.000Z$/)
    const song = [
      { id: `tr-${hymn}`, starred },
      { ...songOfJoga, starred },
    ]
    expect(await ask('getStarred2')).toMatchObject({
      starred2: { artist: [], album: [{ ...homogenic, starred }], song },
    })
    expect(await ask('getStarred')).toMatchObject({
      starred: { artist: [], album: [{ id: homogenic.id, isDir: true, starred }], song },
    })
    const { song: one } = await ask('getSong', { id: `tr-${hidden}` })
    expect(one).not.toHaveProperty('starred')
  })
})

test.each([
  ['getNowPlaying', { nowPlaying: {} }],
  ['getScanStatus', { scanStatus: { scanning: false } }],
  ['getPlayQueue', {}],
  ['getSimilarSongs2', { similarSongs2: {} }],
])('%s is answered with nothing, so that players go on', async (method, expected) => {
  expect(await ask(method, { id: `tr-${joga}` })).toEqual(expected)
})

test('of an album is told what its author has written', async () => {
  expect(await ask('getAlbumInfo2', { id: homogenic.id })).toEqual({
    albumInfo: { notes: 'State of emergency' },
  })
  expect(await ask('getAlbumInfo', { id: singlesOfGuido.id })).toEqual({ albumInfo: {} })
})

describe('search', () => {
  test('finds artists, albums and songs by words, their beginnings, and nearly', async () => {
    expect(await ask('search3', { query: 'bjo' })).toMatchObject({
      searchResult3: { artist: [{ id: `ar-${bjork}` }], album: [homogenic], song: [songOfJoga] },
    })
    expect(await ask('search3', { query: 'homogenik' })).toMatchObject({
      searchResult3: { album: [homogenic] },
    })
    expect(await ask('search2', { query: 'jóga*' })).toMatchObject({
      searchResult2: { artist: [], album: [], song: [songOfJoga] },
    })
  })

  test.each(['', '""', '*'])('for %o gives all there is, page by page', async (query) => {
    const { searchResult3 } = await ask('search3', {
      query,
      artistCount: '0',
      albumCount: '1',
      songCount: '10',
    })
    expect(searchResult3).toMatchObject({ artist: [], album: [{}], song: [{}, {}] })
    const rest = { albumOffset: '2', artistOffset: '1', songOffset: '1' }
    expect(await ask('search3', { query, ...rest })).toMatchObject({
      searchResult3: { artist: [{}], album: [], song: [{}] },
    })
  })
})

describe('playlists', () => {
  test("are the listener's own, also unlisted ones, and then what others have published", async () => {
    const { playlists } = await ask('getPlaylists')
    expect(playlists).toMatchObject({
      playlist: [
        {
          id: `pl-${mine}`,
          name: 'Mornings',
          owner: 'listener',
          public: false,
          readonly: true,
          songCount: 2,
          duration: 360,
        },
        { name: 'Evenings', owner: 'bjork', public: true, songCount: 1 },
      ],
    })
    // What is sealed has no title that could be shown.
    expect(JSON.stringify(playlists)).not.toContain(diary)
    expect(await ask('getPlaylist', { id: `pl-${mine}` })).toMatchObject({
      playlist: { name: 'Mornings', entry: [songOfJoga, { id: `tr-${hymn}` }] },
    })
  })
})

describe('plays', () => {
  const frequent = async () => {
    const { albumList2 } = (await ask('getAlbumList2', { type: 'frequent' })) as {
      albumList2: { album: { id: string; playCount: number }[] }
    }
    return albumList2.album.map(({ id, playCount }) => [id, playCount])
  }

  test('are counted by track and day, and tell albums that are played', async () => {
    const yesterday = Date.now() - 86_400_000
    const id = [`tr-${joga}`, `tr-${joga}`, `tr-${hymn}`, `tr-${gone}`]
    expect(await ask('scrobble', { id, time: [String(yesterday), String(yesterday), '1'] })).toEqual({})
    expect(await ask('scrobble', { id: `tr-${hymn}`, submission: 'false' })).toEqual({})
    // To stream is not to play.
    await ask('stream', { id: `tr-${hymn}` })
    const days = [yesterday, Date.now()].map((ms) => new Date(ms).toISOString().slice(0, 10))
    const { rows } = await served.catalogue.database.postgres.query(
      'SELECT track, day::text, count FROM play ORDER BY day, track',
    )
    expect(rows).toEqual([
      { track: joga, day: days[0], count: 2 },
      { track: hymn, day: days[1], count: 1 },
    ])
    expect(await frequent()).toEqual([
      [homogenic.id, 2],
      [singlesOfGuido.id, 1],
    ])
    expect(await ask('getAlbumList2', { type: 'recent' })).toMatchObject({
      albumList2: { album: [{ id: singlesOfGuido.id }, { id: homogenic.id }] },
    })
    expect(await ask('getSong', { id: `tr-${joga}` })).toMatchObject({ song: { playCount: 2 } })
  })

  test('beyond what one device can have heard are taken and not counted', async () => {
    for (let times = 0; times < 2; times += 1) {
      expect(await ask('scrobble', { id: Array(150).fill(`tr-${hymn}`) })).toEqual({})
    }
    const [{ total } = { total: 0 }] = (
      await served.catalogue.database.postgres.query<{ total: number }>(
        'SELECT sum(count)::int AS total FROM play',
      )
    ).rows
    // Three of the test before, one of them twice.
    expect(total).toBe(200 + 3 - 4)
  })

  test('need a song', async () => {
    expect(await ask('scrobble')).toMatchObject({ error: { code: 10 } })
    expect(await ask('scrobble', { id: 'x' })).toMatchObject({ error: { code: 70 } })
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

  test('of a form that is too long, or of a verb that is none', async () => {
    const long = await fetch(`${served.origin}/rest/ping?f=json`, {
      method: 'POST',
      body: new URLSearchParams({ u: 'x'.repeat(200_000) }),
    })
    expect([long.status, await long.json()]).toMatchObject([
      413,
      { 'subsonic-response': { status: 'failed' } },
    ])
    const deleted = await fetch(`${served.origin}/rest/ping`, { method: 'DELETE' })
    expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
  })
})
