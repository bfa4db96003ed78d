import type { Json } from '@hexachord/protocol/canonical'
import { type Address, authorOf, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
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
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { tracks } from '../projections/tracks.ts'

let served: ServedCatalogue
let me: Listener
let listener: Address
const ask: Listener['ask'] = (...asked) => me.ask(...asked)

beforeAll(async () => {
  served = await serveCatalogue()
  me = await newListener(served, '1e')
  listener = me.account
  await served.catalogue.put(
    actedLog({
      author: listener,
      kind: 'user',
      subject: userSubject(listener),
      content: { prev: null, handle: 'listener' },
    }),
  )
})
afterAll(() => served.close())

describe('the shelf follows the catalogue', () => {
  const albumsOf = async (author: string) => {
    const { artist } = (await ask('getArtist', { id: `ar-${author}` })) as {
      artist?: { name: string; album: { name: string; songCount: number }[] }
    }
    return (
      artist && [artist.name, ...artist.album.map(({ name, songCount }) => `${name}: ${songCount}`).sort()]
    )
  }

  test('when tracks come and go, stand in albums and leave them, and names change', async () => {
    const { catalogue } = served
    // The second operator has left.
    const staying = operators.filter((_, index) => index !== 1)
    const number = (n: bigint) => subjectOf(listener, n)
    const act = async (
      kind: 'track' | 'playlist' | 'user' | 'delete',
      subject: Subject,
      content: Record<string, Json>,
    ) => {
      const prev = await catalogue.digestOf(subject)
      await catalogue.put(
        actedLog({ author: authorOf(subject), kind, subject, content: { prev, ...content } }),
      )
    }
    expect(await albumsOf(listener)).toBeUndefined()
    for (const n of [10n, 11n]) {
      const content = await trackContent(number(n), { prev: null }, { by: staying })
      await catalogue.put(actedLog({ author: listener, kind: 'track', subject: number(n), content }))
    }
    expect(await albumsOf(listener)).toEqual(['listener', 'Singles: 2'])

    const content = {
      prev: null,
      title: 'First',
      album: true,
      add: [{ track: number(10n) }, { track: joga }],
    }
    await catalogue.put(actedLog({ author: listener, kind: 'playlist', subject: number(12n), content }))
    expect(await albumsOf(listener)).toEqual(['listener', 'First: 2', 'Singles: 1'])
    // A song that stands in albums of two artists is at home with its author.
    expect(await ask('getSong', { id: `tr-${joga}` })).toMatchObject({ song: { albumId: `al-${album}` } })

    await act('user', userSubject(listener), { handle: 'listener', name: 'The Listener' })
    expect(await albumsOf(listener)).toEqual(['The Listener', 'First: 2', 'Singles: 1'])
    expect(await ask('getAlbum', { id: `al-${number(12n)}` })).toMatchObject({
      album: { artist: 'The Listener' },
    })

    // The track of somebody else leaves the album, too.
    await act('delete', joga, {})
    expect(await albumsOf(listener)).toEqual(['The Listener', 'First: 1', 'Singles: 1'])
    await act('playlist', number(12n), { unlisted: true })
    expect(await albumsOf(listener)).toEqual(['The Listener', 'Singles: 2'])
    await act('delete', number(10n), {})
    await act('delete', number(11n), {})
    expect(await albumsOf(listener)).toBeUndefined()
    // Björk's own tracks are all gone, and an artist is who has some.
    expect(await albumsOf(bjork)).toBeUndefined()
  })
})

describe('an index that is made anew', () => {
  test('takes from the shelf what the rules no longer let in, and leaves the rest', async () => {
    const { postgres } = served.catalogue.database
    const lost: Address = `0x${'e5'.repeat(20)}`
    // As other rules had it: nothing on the chain says so.
    await postgres.query(
      `INSERT INTO track (${tracks.columns})
       SELECT ${tracks.columns.map((column) => `other.${column}`)} FROM track t,
         jsonb_populate_record(t, jsonb_build_object('id', $2::text || '-1', 'author', $2::text)) AS other
       WHERE t.id = $1`,
      [hymn, lost],
    )
    await postgres.query('INSERT INTO catalogue_change (author, subject) VALUES ($1, $1)', [lost])
    expect(await ask('getArtist', { id: `ar-${lost}` })).toMatchObject({ artist: { albumCount: 1 } })
    const { artist } = await ask('getArtist', { id: `ar-${guido}` })
    await served.catalogue.remake()
    expect(await ask('getArtist', { id: `ar-${lost}` })).toMatchObject({ error: { code: 70 } })
    expect(await ask('getArtist', { id: `ar-${guido}` })).toEqual({ artist })
  })
})

describe('what is scheduled', () => {
  const hilda: Address = `0x${'d4'.repeat(20)}`
  const [song, later, record] = [1n, 2n, 3n].map((n) => subjectOf(hilda, n)) as [Subject, Subject, Subject]
  const both = () => subjectOf(listener, 20n)

  const idsOf = (songs: unknown) => (songs as { id: string }[]).map(({ id }) => id).sort()
  const query = { query: 'bachelorette' }

  /** What is told of the two songs, wherever a player looks. */
  async function told() {
    const { album: ofAlbum } = (await ask('getAlbum', { id: `al-${record}` })) as { album: { song: unknown } }
    const { artist } = (await ask('getArtist', { id: `ar-${hilda}` })) as { artist: { album: unknown } }
    const { playlist } = (await ask('getPlaylist', { id: `pl-${both()}` })) as {
      playlist: { entry: unknown; songCount: number }
    }
    const lists = await Promise.all([
      ask('getSongsByGenre', { genre: 'Trip hop' }),
      ask('getRandomSongs', { genre: 'Trip hop', size: '100' }),
      ask('search3', query),
    ])
    const [ofGenre, random, found] = lists.flatMap((list) => Object.values(list)) as { song: unknown }[]
    return {
      albums: artist.album,
      ofAlbum: idsOf(ofAlbum.song),
      playlist: [playlist.songCount, idsOf(playlist.entry)],
      ofGenre: idsOf(ofGenre?.song),
      random: idsOf(random?.song),
      found: idsOf(found?.song),
      song: await ask('getSong', { id: `tr-${later}` }),
      newest: await ask('getAlbumList2', { type: 'newest', size: '1' }),
    }
  }

  test('is nowhere before its time, and everywhere from then on', async () => {
    const { catalogue } = served
    const by = operators.filter((_, index) => index !== 1)
    const releaseAtMs = 4_000_000_000_000
    for (const [track, fields] of [
      [song, { title: 'Bachelorette' }],
      [later, { title: 'Bachelorette, again', releaseAtMs }],
    ] as const) {
      const content = await trackContent(track, { prev: null, genre: 'Trip hop', ...fields }, { by })
      await catalogue.put(actedLog({ author: hilda, kind: 'track', subject: track, content }))
    }
    const add = [{ track: song }, { track: later }]
    await catalogue.put(
      actedLog({
        ...{ author: hilda, kind: 'playlist', subject: record },
        content: { prev: null, title: 'Record', album: true, add },
      }),
      actedLog({
        ...{ author: listener, kind: 'playlist', subject: both() },
        content: { prev: null, title: 'Both', add },
      }),
    )
    const now = [`tr-${song}`]
    expect(await told()).toMatchObject({
      ...{ ofAlbum: now, playlist: [1, now], ofGenre: now, random: now, found: now },
      albums: [{ name: 'Record', songCount: 1 }],
      song: { error: { code: 70 } },
    })
    expect(await ask('stream', { id: `tr-${later}` })).toEqual({
      error: { code: 50, message: expect.stringContaining('to be released on 2096-10-02') },
    })
    const modified = async () => ((await ask('getIndexes')).indexes as { lastModified: number }).lastModified
    expect(await modified()).toBeLessThan(releaseAtMs)

    // Nothing happens on the chain but that its clock goes on.
    await catalogue.database.postgres.query(
      'UPDATE block SET unix_seconds = $1 WHERE number = (SELECT max(number) FROM block)',
      [releaseAtMs / 1000],
    )
    const all = [`tr-${song}`, `tr-${later}`].sort()
    expect(await told()).toMatchObject({
      ...{ ofAlbum: all, playlist: [2, all], ofGenre: all, random: all, found: all },
      albums: [{ name: 'Record', songCount: 2 }],
      song: { song: { id: `tr-${later}`, year: 2096 } },
      newest: { albumList2: { album: [{ id: `al-${record}` }] } },
    })
    expect(await ask('stream', { id: `tr-${later}` })).toHaveProperty('location')
    expect(await modified()).toBe(releaseAtMs)
  })
})
