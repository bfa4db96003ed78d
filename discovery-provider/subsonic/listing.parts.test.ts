import { subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { bjork, guido, hidden, hymn, joga, type ServedCatalogue } from '../fixtures/served-catalogue.ts'
import {
  diary,
  evenings,
  homogenic,
  listener,
  mine,
  savedAtMs,
  serveListener,
  singlesOfGuido,
  songOfJoga,
} from '../fixtures/served-listener.ts'
import { type Listener, newListener } from '../fixtures/subsonic-listener.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'

const unlisted = subjectOf(listener, 50n)

let served: ServedCatalogue
let me: Listener
const ask: Listener['ask'] = (...asked) => me.ask(...asked)

beforeAll(async () => {
  ;({ served, me } = await serveListener())
})
afterAll(() => served.close())

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
  type Shown = { playlists: { playlist: { name: string }[] } }
  const names = async () => ((await ask('getPlaylists')) as Shown).playlists.playlist.map(({ name }) => name)

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

  test('of others that the listener has saved stand before the fifty newest, unlisted and old ones too', async () => {
    const { catalogue } = served
    const lists = Array.from({ length: 53 }, (_, n) => subjectOf(guido, 100n + BigInt(n)))
    for (const [n, subject] of lists.entries()) {
      const content = { prev: null, title: `List ${n}`, ...(n === 1 && { unlisted: true }) }
      await catalogue.put(actedLog({ author: guido, kind: 'playlist', subject, content }))
    }
    const newest = Array.from({ length: 50 }, (_, n) => `List ${52 - n}`)
    // Evenings are older, and saved; the drafts of an album and a sealed diary are none of it.
    expect(await names()).toEqual(['Mornings', 'Evenings', ...newest])
    for (const [place, target] of [lists[0], lists[1], lists[52]].entries()) {
      const content = { target: target ?? '', on: true, atMs: savedAtMs + 100 + place }
      await catalogue.put(
        actedLog({ author: listener, kind: 'save', subject: userSubject(listener), content }),
      )
    }
    const saved = ['List 52', 'List 1', 'List 0', 'Evenings']
    expect(await names()).toEqual(['Mornings', ...saved, ...newest.slice(1), 'List 2'])
  })

  test('show songs that are unlisted to nobody but the author of the song', async () => {
    const { catalogue } = served
    const before = await catalogue.digestOf(evenings)
    // The second operator has left.
    const staying = operators.filter((_, index) => index !== 1)
    await catalogue.put(
      actedLog({
        ...{ author: bjork, kind: 'playlist', subject: evenings },
        content: { prev: before, add: [{ track: hidden }, { track: unlisted }] },
      }),
      actedLog({
        ...{ author: listener, kind: 'track', subject: unlisted },
        content: await trackContent(unlisted, { prev: null, unlisted: true }, { by: staying }),
      }),
    )
    const seenBy = async ({ ask: asks }: Listener) => {
      const { playlist } = (await asks('getPlaylist', { id: `pl-${evenings}` })) as {
        playlist: { songCount: number; entry: { id: string }[] }
      }
      return [playlist.songCount, ...playlist.entry.map(({ id }) => id)]
    }
    expect(await seenBy(me)).toEqual([2, `tr-${hymn}`, `tr-${unlisted}`])
    expect(await seenBy(await newListener(served, '4e'))).toEqual([1, `tr-${hymn}`])
  })
})
