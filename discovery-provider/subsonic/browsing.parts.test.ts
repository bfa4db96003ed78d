import { subjectOf } from '@hexachord/protocol/names'
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
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { rankChanged } from '../ranking/index.ts'

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
    // Whom else those have saved who have saved this one.
    expect(await ask('getArtistInfo2', { id: `ar-${bjork}` })).toEqual({
      artistInfo2: { similarArtist: [expect.objectContaining({ id: `ar-${guido}`, albumCount: 1 })] },
    })
    expect(await ask('getArtistInfo', { id: `tr-${joga}` })).toEqual({
      artistInfo: { similarArtist: [{ id: `ar-${guido}`, name: 'Guido' }] },
    })
    expect(await ask('getArtistInfo2', { id: `ar-${bjork}`, count: '0' })).toEqual({
      artistInfo2: { similarArtist: [] },
    })
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

describe('what goes with it', () => {
  const idsIn = async (method: string, query: Record<string, string>) => {
    const [list] = Object.values(await ask(method, query)) as { song: { id: string }[] }[]
    return list?.song.map(({ id }) => id)
  }

  test('are the songs of an artist, the most liked first and then the newest', async () => {
    const { catalogue } = served
    const [older, newer] = [subjectOf(guido, 60n), subjectOf(guido, 61n)]
    // The second operator has left.
    const by = operators.filter((_, index) => index !== 1)
    for (const [seed, subject] of [older, newer].entries()) {
      const content = await trackContent(subject, { prev: null, title: 'Ut' }, { seed: 60 + seed, by })
      await catalogue.put(actedLog({ author: guido, kind: 'track', subject, content }))
    }
    const songs = () => idsIn('getTopSongs', { artist: 'GUIDO' })
    expect(await songs()).toEqual([`tr-${newer}`, `tr-${older}`, `tr-${hymn}`])
    // The listener has saved the hymn.
    await rankChanged(catalogue.database.postgres, { nowMs: firstSecond * 1000 + 60_000, batches: 10 })
    expect(await songs()).toEqual([`tr-${hymn}`, `tr-${newer}`, `tr-${older}`])
    expect(await idsIn('getTopSongs', { artist: 'Guido', count: '1' })).toEqual([`tr-${hymn}`])
    expect(await idsIn('getTopSongs', { artist: 'Nobody' })).toEqual([])
    expect(await ask('getTopSongs')).toMatchObject({ error: { code: 10 } })
  })

  test.each([
    ['getSimilarSongs2', `ar-${bjork}`, true],
    ['getSimilarSongs', `al-${album}`, true],
    ['getSimilarSongs', `tr-${joga}`, false],
  ])('are songs of the artist and of those like it: %s of %s', async (method, id, itself) => {
    const found = (await idsIn(method, { id })) ?? []
    expect(found).toContain(`tr-${hymn}`)
    expect(found.includes(`tr-${joga}`)).toBe(itself)
    expect(found).not.toContain(`tr-${hidden}`)
    expect(await idsIn(method, { id, count: '1' })).toHaveLength(1)
    expect(await ask(method, { id: 'nothing' })).toMatchObject({ error: { code: 70 } })
  })
})

test.each([
  ['getNowPlaying', { nowPlaying: {} }],
  ['getScanStatus', { scanStatus: { scanning: false } }],
  ['getPlayQueue', {}],
])('%s is answered with nothing, so that players go on', async (method, expected) => {
  expect(await ask(method, { id: `tr-${joga}` })).toEqual(expected)
})
