import type { Address } from '@hexachord/protocol/names'
import { type AlbumRow, albumFolder, readAlbums, selectAlbums } from './albums.ts'
import { plainArtist } from './artists.ts'
import { SubsonicError } from './errors.ts'
import { readFavourites, showAlbums, showArtists, showSongs } from './favourites.ts'
import type { Asked, Methods, SubsonicParts } from './method.ts'
import type { Parameters } from './parameters.ts'
import { sampleIds } from './random.ts'
import { onlyOpen, readSongs, readSongsOfGenre } from './songs.ts'

/** Conditions and order of lists of albums, each along an index of its own. */
const orders: Readonly<Record<string, string>> = {
  newest: 'ORDER BY e.created_at_ms DESC, e.id DESC',
  alphabeticalByName: 'ORDER BY e.words, e.id',
  alphabeticalByArtist: 'ORDER BY e.artist_words, e.words, e.id',
  frequent: 'WHERE e.plays > 0 ORDER BY e.plays DESC, e.id DESC',
  // Played lately by anybody: who has played what is not kept.
  recent: 'WHERE e.plays > 0 ORDER BY e.played_on DESC, e.plays DESC, e.id DESC',
  byGenre: 'WHERE e.genre_words = search_words($3) ORDER BY e.created_at_ms DESC, e.id DESC',
  starred: `JOIN save f ON e.id = 'al-' || f.target WHERE f.author = $3 ORDER BY f.since_ms DESC, f.id DESC`,
}

/** The list that nothing in the catalogue can fill: nobody rates. */
const emptyList = 'highest'

const years = { least: 0, most: 9_999 }

/** Lists of albums and of songs. */
export function listMethods({ postgres, shelf, now }: SubsonicParts): Methods {
  async function albumsOf({ parameters, login: { account } }: Asked): Promise<AlbumRow[]> {
    const type = parameters.required('type')
    const size = parameters.whole('size', { least: 0, most: 500, instead: 10 })
    const offset = parameters.whole('offset', { least: 0, most: 10_000_000, instead: 0 })
    if (type === emptyList) return []
    const query = type === 'random' ? undefined : albumListQuery(type, { parameters, account }, size, offset)
    await shelf.putInOrder()
    if (query === undefined) {
      return readAlbums(postgres, await sampleIds(postgres, { table: 'shelf_album', count: size }))
    }
    return (await postgres.query<AlbumRow>(query.text, query.values)).rows
  }

  async function favouritesOf(account: Address) {
    await shelf.putInOrder()
    return readFavourites(postgres, account, now())
  }

  return {
    async getAlbumList(asked) {
      const albums = await albumsOf(asked)
      return { albumList: { album: await showAlbums(postgres, asked.login.account, albums, albumFolder) } }
    },
    async getAlbumList2(asked) {
      const albums = await albumsOf(asked)
      return { albumList2: { album: await showAlbums(postgres, asked.login.account, albums) } }
    },
    async getRandomSongs({ parameters, login: { account } }) {
      const count = parameters.whole('size', { least: 0, most: 500, instead: 10 })
      const genre = parameters.text('genre')
      const from = startOfYear(parameters.whole('fromYear', { ...years, instead: years.least }))
      const to = startOfYear(parameters.whole('toYear', { ...years, instead: years.most }) + 1)
      const fits = (createdAtMs: number) => createdAtMs >= from && createdAtMs < to
      await shelf.putInOrder()
      // Some of them nobody could play, and what is random is played unseen.
      const sample = await sampleIds(postgres, { table: 'shelf_song', count: 2 * count, genre, fits })
      const ids = (await onlyOpen(postgres, sample)).slice(0, count)
      const songs = await readSongs(postgres, ids, now())
      return { randomSongs: { song: await showSongs(postgres, account, songs) } }
    },
    async getSongsByGenre({ parameters, login: { account } }) {
      const page = {
        genre: parameters.required('genre'),
        count: parameters.whole('count', { least: 0, most: 500, instead: 10 }),
        offset: parameters.whole('offset', { least: 0, most: 10_000_000, instead: 0 }),
      }
      await shelf.putInOrder()
      const songs = await readSongsOfGenre(postgres, page, now())
      return { songsByGenre: { song: await showSongs(postgres, account, songs) } }
    },
    async getStarred({ login: { account } }) {
      const { artists, albums, songs } = await favouritesOf(account)
      const artist = await showArtists(postgres, account, artists, plainArtist)
      const album = await showAlbums(postgres, account, albums, albumFolder)
      return { starred: { artist, album, song: await showSongs(postgres, account, songs) } }
    },
    async getStarred2({ login: { account } }) {
      const { artists, albums, songs } = await favouritesOf(account)
      const artist = await showArtists(postgres, account, artists)
      const album = await showAlbums(postgres, account, albums)
      return { starred2: { artist, album, song: await showSongs(postgres, account, songs) } }
    },
  }
}

/** The statement of one list of albums; its plan is held to the index by a test.
 * @throws SubsonicError */
export function albumListQuery(
  type: string,
  { parameters, account }: { parameters: Parameters; account: Address },
  size: number,
  offset: number,
): { text: string; values: unknown[] } {
  const values: unknown[] = [size, offset]
  if (type === 'starred') values.push(account)
  if (type === 'byGenre') values.push(parameters.required('genre'))
  const order =
    type === 'byYear' ? byYear(parameters, values) : Object.hasOwn(orders, type) ? orders[type] : undefined
  if (order === undefined) {
    const known = [...Object.keys(orders), 'byYear', 'random', emptyList]
    throw new SubsonicError('generic', `'type' must be one of ${known.join(', ')}`)
  }
  return { text: `${selectAlbums} ${order} LIMIT $1 OFFSET $2`, values }
}

/** From a later year to an earlier one the list runs backwards. */
function byYear(parameters: Parameters, values: unknown[]): string {
  const [from, to] = ['fromYear', 'toYear'].map((name) => {
    parameters.required(name)
    return parameters.whole(name, { ...years, instead: 0 })
  }) as [number, number]
  values.push(startOfYear(Math.min(from, to)), startOfYear(Math.max(from, to) + 1))
  const direction = from > to ? 'DESC' : 'ASC'
  return `WHERE e.created_at_ms >= $3 AND e.created_at_ms < $4
    ORDER BY e.created_at_ms ${direction}, e.id ${direction}`
}

function startOfYear(year: number): number {
  // Date.UTC takes the first hundred years for those after 1900.
  return Date.UTC(Math.max(100, year), 0)
}
