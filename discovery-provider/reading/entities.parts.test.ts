import { type Address, subjectOf } from '@hexachord/protocol/names'
import {
  listOf,
  playlistSchema,
  playlistSummarySchema,
  pricedTrackSchema,
  type Track,
  trackSchema,
  userSchema,
} from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { eventually } from '../fixtures/eventually.ts'
import {
  album,
  bjork,
  gone,
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
  silent,
} from '../fixtures/served-catalogue.ts'
import { actedLog, operators, trackContent, updatedLog } from '../fixtures/synthetic-network.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
})
afterAll(() => served.close())

const tracksOf = (list: { items: Track[] }) => list.items.map(({ id }) => id)

describe('/v1/tracks', () => {
  const tracks = listOf(trackSchema)

  test('lists what is listed, newest first, in pages', async () => {
    expect(tracksOf(await served.read('/v1/tracks', tracks))).toEqual([joga, hymn])
    const first = await served.read('/v1/tracks?limit=1', tracks)
    expect(tracksOf(first)).toEqual([joga])
    const second = await served.read(`/v1/tracks?limit=1&cursor=${first.next}`, tracks)
    expect(tracksOf(second)).toEqual([hymn])
    expect(second.next).toBeNull()
  })

  test('is filtered by author, in any spelling of the address, and by genre', async () => {
    expect(tracksOf(await served.read(`/v1/tracks?author=${guido}`, tracks))).toEqual([hymn])
    expect(tracksOf(await served.read(`/v1/tracks?author=0x${'A1'.repeat(20)}`, tracks))).toEqual([hymn])
    expect(tracksOf(await served.read('/v1/tracks?genre=hip%20hop', tracks))).toEqual([hymn])
    expect(tracksOf(await served.read(`/v1/tracks?genre=electronic&author=${guido}`, tracks))).toEqual([])
  })

  test('one track names its author, who holds it now, and where its last action stands', async () => {
    const track = await served.read(`/v1/tracks/${joga}`, pricedTrackSchema)
    expect(track).toMatchObject({ title: 'Jóga', authorHandle: 'bjork', album: 'Homogenic', unlisted: false })
    expect(track.holders).toEqual([{ operator: operators[0]?.operator, endpoint: `${served.node}/` }])
    expect(track.last).toEqual({ block: 13, logIndex: 1, digest: expect.stringMatching(/^0x[0-9a-f]{64}$/) })
  })

  test('an unlisted track is there by its id', async () => {
    expect(await served.read(`/v1/tracks/${hidden}`, pricedTrackSchema)).toMatchObject({ unlisted: true })
  })

  test('a deleted track is gone, an unknown one is not found, a playlist is no track', async () => {
    expect(await served.problem(`/v1/tracks/${gone}`)).toMatchObject({ status: 410, last: { block: 19 } })
    expect(await served.problem(`/v1/tracks/${guido}-99`)).toMatchObject({ status: 404 })
    expect((await served.problem(`/v1/tracks/${album}`)).detail).toMatch(/is a playlist/)
  })

  test('is not sent twice when it did not change', async () => {
    const first = await served.get(`/v1/tracks/${joga}`)
    const tag = first.headers.get('etag') ?? ''
    expect(first.headers.get('cache-control')).toBe('public, no-cache')
    expect((await served.get(`/v1/tracks/${joga}`, { 'If-None-Match': tag })).status).toBe(304)
    expect((await served.get(`/v1/tracks/${hymn}`, { 'If-None-Match': tag })).status).toBe(200)
  })

  test('may be read by pages of any origin', async () => {
    const response = await served.get('/v1/tracks', { Origin: 'https://player.example' })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  })
})

describe('/v1/tracks/:id/stream', () => {
  test('leads to the master playlist at a holder that answers', async () => {
    const { manifest } = await served.read(`/v1/tracks/${joga}`, pricedTrackSchema)
    const response = await served.get(`/v1/tracks/${joga}/stream`)
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toBe(`${served.node}/hls/${manifest}/master.m3u8`)
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test('leads to one file, or to one rendition, where that is asked for', async () => {
    const { manifest } = await served.read(`/v1/tracks/${joga}`, pricedTrackSchema)
    const places = {
      'stream?format=file': `/audio/${manifest}`,
      'stream?format=file&rendition=aac-96': `/audio/${manifest}?rendition=aac-96`,
      'stream?rendition=flac': `/hls/${manifest}/flac.m3u8`,
      'audio.m4a': `/audio/${manifest}`,
      'audio.m4a?rendition=flac': `/audio/${manifest}?rendition=flac`,
      download: `/audio/${manifest}?download=true&filename=Bj%C3%B6rk+-+J%C3%B3ga.m4a`,
      'download?rendition=original': `/originals/${manifest}`,
    }
    for (const [path, place] of Object.entries(places)) {
      const response = await served.get(`/v1/tracks/${joga}/${path}`)
      expect([path, response.headers.get('location')]).toEqual([path, served.node + place])
    }
    expect(await served.problem(`/v1/tracks/${joga}/stream?rendition=..%2F`)).toMatchObject({ status: 400 })
    expect(await served.problem(`/v1/tracks/${gone}/download`)).toMatchObject({ status: 410 })
  })

  test('names the next holder too, unless that is known to be away', async () => {
    const author: Address = `0x${'d4'.repeat(20)}`
    const shared = subjectOf(author, 2n)
    const content = await trackContent(
      shared,
      { prev: null },
      { by: operators.filter((_, place) => place !== 1) },
    )
    await served.catalogue.put(actedLog({ author, kind: 'track', subject: shared, content }))
    const [, , third] = operators
    if (!third) throw new Error('three operators')
    const linkWith = async (endpoint: string) => {
      await served.catalogue.put(updatedLog(third, endpoint))
      const response = await served.get(`/v1/tracks/${shared}/stream?format=file`)
      return [response.headers.get('location'), response.headers.get('link')]
    }
    // The same node, under another name of its host.
    const { manifest } = await served.read(`/v1/tracks/${shared}`, pricedTrackSchema)
    const [location, link] = await linkWith(served.node.replace('127.0.0.1', 'localhost'))
    expect([location, link?.match(/<(.*)>; rel=duplicate; pri=1$/)?.[1]].sort()).toEqual(
      [served.node, served.node.replace('127.0.0.1', 'localhost')].map((node) => `${node}/audio/${manifest}`),
    )
    await linkWith('http://127.0.0.1:1')
    await eventually(
      async () => (await served.get(`/v1/tracks/${shared}/stream?format=file`)).headers.get('link'),
      (named) => named === null,
    )
  })

  test('says when to ask again while no holder answers', async () => {
    const lonely = subjectOf(silent, 1n)
    const content = await trackContent(lonely, { prev: null }, { by: operators.slice(1) })
    await served.catalogue.put(actedLog({ author: silent, kind: 'track', subject: lonely, content }))
    const [, , third] = operators
    if (!third) throw new Error('three operators')
    await served.catalogue.put(updatedLog(third, 'http://127.0.0.1:1'))
    const response = await served.get(`/v1/tracks/${lonely}/stream`)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
    await served.catalogue.put(
      actedLog({
        author: silent,
        kind: 'delete',
        subject: lonely,
        content: { prev: (await served.read(`/v1/tracks/${lonely}`, pricedTrackSchema)).last.digest },
      }),
    )
    expect(await served.problem(`/v1/tracks/${lonely}/stream`)).toMatchObject({ status: 410 })
  })
})

describe('/v1/users/:id', () => {
  test('has profile, controller and how much is published', async () => {
    expect(await served.read(`/v1/users/${bjork}`, userSchema)).toMatchObject({
      id: bjork,
      handle: 'bjork',
      name: 'Björk Guðmundsdóttir',
      controller: bjork,
      trackCount: 1,
      last: { block: 9 },
    })
  })

  test('is known by what it published, without a profile', async () => {
    const user = await served.read(`/v1/users/${guido}`, userSchema)
    expect(user).toMatchObject({ handle: null, trackCount: 1, createdAtMs: null, last: null })
  })

  test('is not found when it never did anything', async () => {
    expect(await served.problem(`/v1/users/0x${'99'.repeat(20)}`)).toMatchObject({ status: 404 })
  })
})

describe('/v1/users/:id/playlists', () => {
  const list = async (query: string) => {
    const page = await served.read(`/v1/users/${bjork}/playlists${query}`, listOf(playlistSummarySchema))
    return { ids: page.items.map(({ id }) => id), next: page.next }
  }
  const mix = subjectOf(bjork, 70n)

  test('has what is listed, newest first, in pages: albums, others, or both', async () => {
    const content = { prev: null, title: 'Mix', add: [{ track: hymn }] }
    await served.catalogue.put(actedLog({ author: bjork, kind: 'playlist', subject: mix, content }))
    expect(await list('')).toEqual({ ids: [mix, album], next: null })
    expect(await list('?album=true')).toEqual({ ids: [album], next: null })
    expect(await list('?album=false')).toEqual({ ids: [mix], next: null })
    const first = await list('?limit=1')
    expect(first.ids).toEqual([mix])
    expect(await list(`?limit=1&cursor=${first.next}`)).toEqual({ ids: [album], next: null })
  })

  test('is empty for whoever has made none, and refuses another kind', async () => {
    const none = await served.read(`/v1/users/${silent}/playlists`, listOf(playlistSummarySchema))
    expect(none).toEqual({ items: [], next: null })
    expect(await served.problem(`/v1/users/${bjork}/playlists?album=1`)).toMatchObject({ status: 400 })
  })
})

describe('/v1/playlists/:id', () => {
  test('has its tracks in order, without those that were deleted', async () => {
    const playlist = await served.read(`/v1/playlists/${album}`, playlistSchema)
    expect(playlist).toMatchObject({ title: 'Homogenic', album: true, trackIds: [joga, gone, hymn] })
    expect(playlist.tracks.map(({ id }) => id)).toEqual([joga, hymn])
  })

  test('is not found under a track', async () => {
    expect(await served.problem(`/v1/playlists/${joga}`)).toMatchObject({ status: 404 })
  })
})

describe('/v1/tracks without a word', () => {
  const tracks = listOf(trackSchema)

  test('is filtered by mood, tag, tempo and key without a word, newest first, in pages', async () => {
    const [slow, fast] = [subjectOf(guido, 90n), subjectOf(guido, 91n)]
    const by = operators.filter((_, place) => place !== 1)
    for (const [id, mood, tags] of [
      [slow, 'Calm', ['bpm:70', 'key:F#m', 'Field recording']],
      [fast, 'Calm', ['bpm:174.5', 'key:Gbm', 'rave']],
    ] as const) {
      const content = await trackContent(id, { prev: null, mood, tags: [...tags] }, { by })
      await served.catalogue.put(actedLog({ author: guido, kind: 'track', subject: id, content }))
    }
    const listed = async (query: string) => tracksOf(await served.read(`/v1/tracks?${query}`, tracks))
    expect(await listed('mood=calm')).toEqual([fast, slow])
    expect(await listed('tag=field-recording')).toEqual([slow])
    expect(await listed('bpmMin=100')).toEqual([fast])
    expect(await listed('bpmMin=60&bpmMax=80')).toEqual([slow])
    expect(await listed('key=F%23%20minor')).toEqual([fast, slow])
    expect(await listed(`key=gbm&mood=Calm&bpmMax=80&tag=field%20recording&author=${guido}`)).toEqual([slow])
    expect(await listed('mood=fiery')).toEqual([])
    const first = await served.read('/v1/tracks?mood=calm&limit=1', tracks)
    expect(await listed(`mood=calm&limit=1&cursor=${first.next}`)).toEqual([slow])
    for (const wrong of ['bpmMin=fast', 'key=H', 'tag=%26', 'mood=%00'])
      expect(await served.problem(`/v1/tracks?${wrong}`)).toMatchObject({ status: 400 })
  })
})
