import { type Address, type Subject, subjectOf } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { allNamed, parseXml, textOf } from '../fixtures/parse-xml.ts'
import { type ServedCatalogue, serveCatalogue } from '../fixtures/served-catalogue.ts'
import { artistTracks } from './collection.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const site = 'https://discovery.example'
const prolific: Address = `0x${'d5'.repeat(20)}`
const curator: Address = `0x${'d6'.repeat(20)}`
const list = subjectOf(curator, 1n)
/** Oldest first. */
const tracks = Array.from({ length: 450 }, (_, place) => subjectOf(prolific, BigInt(place + 1)))
const sources = [`users/${prolific}`, `playlists/${list}`]

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
  await publish(prolific, tracks.length)
  const { postgres } = served.catalogue.database
  await postgres.query(
    `INSERT INTO profile (id, name, links, created_at_ms, updated_at_ms, block, log_index, digest)
     VALUES ($1, 'Prolific', '{}', 1, 1, 1, 1, '0x')`,
    [prolific],
  )
  await postgres.query(
    `INSERT INTO playlist (id, author, title, album, unlisted, tracks, created_at_ms, updated_at_ms, block, log_index, digest)
     VALUES ($1, $2, 'All of it', false, false, $3, 1, 1, 1, 1, '0x')`,
    [list, curator, tracks],
  )
})
afterAll(() => served.close())

/** Writes tracks as many actions would make them. */
async function publish(author: Address, count: number): Promise<void> {
  await served.catalogue.database.postgres.query(
    `INSERT INTO track (id, author, title, artist, tags, licence, unlisted, duration_ms, manifest,
       storage_root, leaf_count, byte_length, operators, created_at_ms, updated_at_ms, block, log_index, digest)
     SELECT $1 || '-' || i, $1, 'Song ' || i, 'Prolific', '{}', 'CC0-1.0', false, 180000,
       (SELECT t.manifest FROM track t LIMIT 1), '0x', 1, 1, '{}', i, i, 1, 1, '0x' FROM generate_series(1, $2::int) AS i
     ON CONFLICT (id) DO NOTHING`,
    [author, count],
  )
}

const textAt = async (path: string) => (await served.get(path)).text()
const itemsOf = (text: string, name: string) => {
  const [channel] = parseXml(text).children
  if (channel === undefined) throw new Error('a feed has a channel')
  return allNamed(name, channel)
}

describe('an artist with hundreds of tracks, and a playlist of all of them', () => {
  test('have every one of them in feeds, playlists as files, pages and players', async () => {
    for (const source of sources) {
      const texts = [
        `/v1/${source}/feed.xml`,
        `/v1/${source}/feed.xml?items=remote`,
        `/v1/${source}/tracks.m3u8`,
      ]
      for (const path of [...texts, `/v1/${source}/tracks.xspf`, `/${source}`, `/${source}/player`]) {
        const text = await textAt(path)
        const lacking = tracks.filter(
          (id) => !text.includes(`${id}"`) && !text.includes(`${id}/`) && !text.includes(`${id}<`),
        )
        expect([path, lacking]).toEqual([path, []])
      }
    }
  })

  test('have feeds of which the one refers to nothing that the other lacks', async () => {
    const remote = itemsOf(await textAt(`/v1/playlists/${list}/feed.xml?items=remote`), 'podcast:remoteItem')
    expect(new Set(remote.map(({ attributes }) => attributes.feedUrl))).toEqual(
      new Set([`${site}/v1/users/${prolific}/feed.xml`]),
    )
    const own = itemsOf(await textAt(`/v1/users/${prolific}/feed.xml`), 'item').map((item) =>
      textOf('guid', item),
    )
    expect(remote.map(({ attributes }) => attributes.itemGuid)).toEqual([...own].reverse())
  })

  test('have the newest, where there are more than anybody makes', async () => {
    await publish(prolific, artistTracks + 1)
    const text = await textAt(`/v1/users/${prolific}/feed.xml`)
    const guids = itemsOf(text, 'item').map((item) => textOf('guid', item) as Subject)
    expect(guids).toHaveLength(artistTracks)
    expect(guids[0]).toBe(subjectOf(prolific, BigInt(artistTracks + 1)))
  })
})
