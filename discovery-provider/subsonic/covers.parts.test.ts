import type { Json } from '@hexachord/protocol/canonical'
import { cidOf } from '@hexachord/protocol/cids'
import { authorOf, type Subject, subjectOf } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { album, bjork, guido, hymn, joga, type ServedCatalogue } from '../fixtures/served-catalogue.ts'
import { diary, listener, serveListener } from '../fixtures/served-listener.ts'
import type { Listener } from '../fixtures/subsonic-listener.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { keepManifest } from '../manifests/read-manifests.ts'

const cidOfSize = (width: number) => `bafkreicover${width}`
const picture = await cidOf(new TextEncoder().encode('a picture'), 'raw')
// The second one has left.
const by = operators.filter((_, index) => index !== 1)
/** Have covers in three sizes. */
const shown = subjectOf(bjork, 31n)
const shownSingle = subjectOf(guido, 31n)
const shownLater = subjectOf(listener, 31n)
/** An album whose first song has no cover. */
const mixed = subjectOf(bjork, 32n)
/** An album of songs without covers, with a picture that its author names. */
const pictured = subjectOf(bjork, 33n)
const favourites = subjectOf(listener, 34n)
/** A playlist of a cover that is to come. */
const upcoming = subjectOf(listener, 35n)

let served: ServedCatalogue
let me: Listener
const ask: Listener['ask'] = (...asked) => me.ask(...asked)

beforeAll(async () => {
  ;({ served, me } = await serveListener())
  const { catalogue } = served
  const withManifest = async (
    track: Subject,
    { seed, ...fields }: { seed: number; unlisted?: boolean; releaseAtMs?: number },
  ) =>
    actedLog({
      ...{ author: authorOf(track), kind: 'track', subject: track },
      content: await trackContent(track, { prev: null, title: 'Shown', ...fields }, { seed, by }),
    })
  const collection = (subject: Subject, content: { [name: string]: Json }) =>
    actedLog({
      ...{ author: authorOf(subject), kind: 'playlist', subject },
      content: { prev: null, title: 'Pictures', ...content },
    })
  await catalogue.put(
    await withManifest(shown, { seed: 31 }),
    await withManifest(shownSingle, { seed: 32 }),
    await withManifest(shownLater, { seed: 33, releaseAtMs: 4_000_000_000_000 }),
    collection(mixed, { album: true, add: [{ track: joga }, { track: shown }] }),
    collection(pictured, { album: true, cover: picture, add: [{ track: joga }] }),
    collection(favourites, { add: [{ track: hymn }, { track: shown }] }),
    collection(upcoming, { add: [{ track: shownLater }] }),
  )
  const covers = [150, 480, 1000].map((width) => ({ cid: cidOfSize(width), type: 'image/jpeg', width }))
  const { postgres } = catalogue.database
  for (const track of [shown, shownSingle, shownLater, hymn, joga]) {
    const { rows } = await postgres.query<{ manifest: string }>('SELECT manifest FROM track WHERE id = $1', [
      track,
    ])
    const kept = { keyHolders: [], covers: track === hymn || track === joga ? [] : covers }
    await keepManifest(postgres, { track, manifest: rows[0]?.manifest ?? null }, kept)
  }
})
afterAll(() => served.close())

const placeOf = (width: number) => `${served.node}/ipfs/${cidOfSize(width)}?filename=cover.jpeg`

/** Every `coverArt` in an answer, by the id of what it stands in. */
function coversIn(value: unknown, found = new Map<string, string>()): Map<string, string> {
  if (typeof value !== 'object' || value === null) return found
  if ('id' in value && 'coverArt' in value) found.set(String(value.id), String(value.coverArt))
  for (const inner of Object.values(value)) coversIn(inner, found)
  return found
}

describe('a cover', () => {
  test.each([
    ['', 1000],
    ['1', 150],
    ['150', 150],
    ['151', 480],
    ['600', 1000],
    ['4000', 1000],
  ])('of a song asked for at size %s comes at %i', async (size, width) => {
    expect(await ask('getCoverArt', { id: `tr-${shown}`, size })).toEqual({ location: placeOf(width) })
  })

  test.each([
    ['an album: of its first song that has one', `al-${mixed}`],
    ['a playlist: the same', `pl-${favourites}`],
    ['songs in no album: of the newest that has one', `al-${guido}`],
  ])('of %s', async (_, id) => {
    expect(await ask('getCoverArt', { id, size: '300' })).toEqual({ location: placeOf(480) })
  })

  test('that an album names comes before those of its songs, and is theirs where they have none', async () => {
    expect(await ask('getCoverArt', { id: `al-${pictured}`, size: '300' })).toEqual({
      location: `${served.node}/ipfs/${picture}`,
    })
  })

  test('is named in answers by ids that all lead to one', async () => {
    const answers = await Promise.all([
      ask('getAlbumList2', { type: 'newest', size: '100' }),
      ask('getAlbumList', { type: 'newest', size: '100' }),
      ask('getAlbum', { id: `al-${mixed}` }),
      ask('getAlbum', { id: `al-${guido}` }),
      ask('getMusicDirectory', { id: `ar-${bjork}` }),
      ask('getSong', { id: `tr-${shown}` }),
      ask('search3', { query: '', songCount: '100', albumCount: '100' }),
      ask('getPlaylists'),
      ask('getPlaylist', { id: `pl-${favourites}` }),
      ask('getStarred2'),
    ])
    const covers = new Map(answers.flatMap((answer) => [...coversIn(answer)]))
    expect(Object.fromEntries(covers)).toEqual({
      [`al-${mixed}`]: `al-${mixed}`,
      [`al-${pictured}`]: `al-${pictured}`,
      [`al-${guido}`]: `al-${guido}`,
      // In the album of which was asked.
      [`tr-${joga}`]: `al-${mixed}`,
      [`tr-${shown}`]: `tr-${shown}`,
      [`tr-${shownSingle}`]: `tr-${shownSingle}`,
      [`pl-${favourites}`]: `pl-${favourites}`,
    })
    for (const id of covers.values()) {
      expect([id, await ask('getCoverArt', { id })]).toEqual([id, { location: expect.any(String) }])
    }
  })

  test.each([
    `tr-${joga}`,
    `tr-${hymn}`,
    `tr-${shownLater}`,
    `al-${album}`,
    `al-${listener}`,
    `pl-${upcoming}`,
    `pl-${diary}`,
    `ar-${bjork}`,
    'al-nothing',
    shown,
  ])('of %s is not there', async (id) => {
    expect(await ask('getCoverArt', { id })).toEqual({ error: { code: 70, message: expect.any(String) } })
  })

  test('is asked for in whole pixels, and of something', async () => {
    expect(await ask('getCoverArt', { id: `tr-${shown}`, size: 'large' })).toMatchObject({
      error: { code: 0 },
    })
    expect(await ask('getCoverArt')).toMatchObject({ error: { code: 10 } })
  })
})
