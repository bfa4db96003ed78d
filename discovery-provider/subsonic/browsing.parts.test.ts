import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
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
} from '../fixtures/served-catalogue.ts'
import {
  diary,
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

test('of an album is told what its author has written', async () => {
  expect(await ask('getAlbumInfo2', { id: homogenic.id })).toEqual({
    albumInfo: { notes: 'State of emergency' },
  })
  expect(await ask('getAlbumInfo', { id: singlesOfGuido.id })).toEqual({ albumInfo: {} })
})

test.each([
  ['getNowPlaying', { nowPlaying: {} }],
  ['getScanStatus', { scanStatus: { scanning: false } }],
  ['getPlayQueue', {}],
  ['getSimilarSongs2', { similarSongs2: {} }],
])('%s is answered with nothing, so that players go on', async (method, expected) => {
  expect(await ask(method, { id: `tr-${joga}` })).toEqual(expected)
})
