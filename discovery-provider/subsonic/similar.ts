import { type Address, authorOf as authorOfSubject } from '@hexachord/protocol/names'
import type { Database } from '../reading/entity.ts'
import { relatedUsersQuery } from '../reading/related-users.ts'
import type { Fields } from './answer.ts'
import { type ArtistRow, readArtists } from './artists.ts'
import { showSongs } from './favourites.ts'
import { albumOf, authorOf, trackOf } from './ids.ts'
import type { Asked, Methods, SubsonicParts } from './method.ts'
import { shuffled } from './random.ts'
import { onlyOpen, readSongs } from './songs.ts'

/** Related artists whose songs are taken. */
const maximumRelated = 20

/** Artists of one name whose songs are taken. */
const maximumNamesakes = 10

/** What is heard most, and what goes with it. */
export function similarMethods({ postgres, shelf, now }: SubsonicParts): Methods {
  const countOf = ({ parameters }: Asked) => parameters.whole('count', { least: 0, most: 500, instead: 50 })

  /** The best of an artist and of those related to it that a player can play, in any order. */
  async function similarSongs(asked: Asked): Promise<Fields[]> {
    const id = asked.parameters.required('id')
    const count = countOf(asked)
    const author = authorBehind(id)
    await shelf.putInOrder()
    const authors = [author, ...(await relatedIds(postgres, author, maximumRelated, now()))]
    // What costs something or is encrypted is not taken, so that some more are looked at.
    const ofEach = Math.ceil((2 * count) / authors.length)
    const found = await topIds(postgres, authors, { ofEach, count: 2 * count, nowMs: now() })
    const others = (await onlyOpen(postgres, found)).filter((track) => id !== `tr-${track}`)
    const songs = await readSongs(postgres, shuffled(others).slice(0, count), now())
    return showSongs(postgres, asked.login.account, songs)
  }

  return {
    async getTopSongs(asked) {
      const { parameters, login } = asked
      const name = parameters.required('artist')
      const count = countOf(asked)
      await shelf.putInOrder()
      const { rows } = await postgres.query<{ id: Address }>(
        `SELECT e.id FROM shelf_artist e WHERE e.words = (SELECT search_words($1)) ORDER BY e.id LIMIT ${maximumNamesakes}`,
        [name],
      )
      const authors = rows.map(({ id }) => id)
      const ids = await topIds(postgres, authors, { ofEach: count, count, nowMs: now() })
      const songs = await readSongs(postgres, ids, now())
      return { topSongs: { song: await showSongs(postgres, login.account, songs) } }
    },
    getSimilarSongs: async (asked) => ({ similarSongs: { song: await similarSongs(asked) } }),
    getSimilarSongs2: async (asked) => ({ similarSongs2: { song: await similarSongs(asked) } }),
  }
}

/** Whose an artist, album or song is. @throws SubsonicError 70 */
export function authorBehind(id: string): Address {
  if (id.startsWith('tr-')) return authorOfSubject(trackOf(id))
  if (!id.startsWith('al-')) return authorOf(id)
  const album = albumOf(id)
  return 'singlesOf' in album ? album.singlesOf : authorOfSubject(album.playlist)
}

/** Artists whom the same listeners follow and save, the likest first. */
export async function readRelatedArtists(
  database: Database,
  author: Address,
  count: number,
  nowMs: number,
): Promise<ArtistRow[]> {
  return readArtists(database, await relatedIds(database, author, count, nowMs))
}

async function relatedIds(
  database: Database,
  author: Address,
  count: number,
  nowMs: number,
): Promise<Address[]> {
  const { text, values } = relatedUsersQuery(author, count, nowMs)
  return (await database.query<{ id: Address }>(text, values)).rows.map(({ id }) => id)
}

/** Listed tracks of some authors: those first that are liked and heard most, then what is new. */
async function topIds(
  database: Database,
  authors: readonly Address[],
  { ofEach, count, nowMs }: { ofEach: number; count: number; nowMs: number },
): Promise<string[]> {
  const { rows } = await database.query<{ id: string }>(
    `SELECT best.id FROM unnest($1::text[]) AS asked (author) CROSS JOIN LATERAL (
       SELECT t.id, t.listed_at_ms, r.score FROM track t
       LEFT JOIN ranking r ON r.track = t.id AND r.strategy = 'heard-1' AND r.list = 'all'
       WHERE t.author = asked.author AND NOT t.unlisted AND t.listed_at_ms <= (SELECT released_until($4))
       ORDER BY r.score DESC NULLS LAST, t.listed_at_ms DESC, t.id DESC LIMIT $2
     ) AS best ORDER BY best.score DESC NULLS LAST, best.listed_at_ms DESC, best.id DESC LIMIT $3`,
    [authors, ofEach, count, nowMs],
  )
  return rows.map(({ id }) => id)
}
