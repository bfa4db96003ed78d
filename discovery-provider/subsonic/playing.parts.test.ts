import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { gone, hymn, joga, type ServedCatalogue } from '../fixtures/served-catalogue.ts'
import { homogenic, serveListener, singlesOfGuido } from '../fixtures/served-listener.ts'
import type { Listener } from '../fixtures/subsonic-listener.ts'

let served: ServedCatalogue
let me: Listener
const ask: Listener['ask'] = (...asked) => me.ask(...asked)

beforeAll(async () => {
  ;({ served, me } = await serveListener())
})
afterAll(() => served.close())

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
