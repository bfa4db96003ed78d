import type { Postgres } from '@hexachord/platform/postgres'
import type { Database } from '../reading/entity.ts'
import { findIds, type Searched, searchedTracks } from '../reading/search-matching.ts'
import type { Typed } from '../reading/typed-text.ts'
import { type AlbumRow, albumFolder, readAlbums, selectAlbums } from './albums.ts'
import { type ArtistRow, plainArtist, readArtists, selectArtists } from './artists.ts'
import { SubsonicError } from './errors.ts'
import { showAlbums, showArtists, showSongs } from './favourites.ts'
import type { Methods, SubsonicParts } from './method.ts'
import type { Parameters } from './parameters.ts'
import { readAllSongs, readSongs, type SongRow } from './songs.ts'

export const searchedArtists: Searched = {
  table: 'shelf_artist',
  listed: 'TRUE',
  named: ['e.words = (SELECT search_words($1))'],
}
export const searchedAlbums: Searched = {
  table: 'shelf_album',
  listed: 'TRUE',
  named: ['e.words = (SELECT search_words($1))'],
}

/** Hits that are ranked at most, over all pages. */
const maximumHits = 1_000

/** Without words, pages go on until all has been given: players copy the catalogue that way. */
const maximumOffset = 10_000_000

type Page = { readonly count: number; readonly offset: number }
type Found = { readonly artists: ArtistRow[]; readonly albums: AlbumRow[]; readonly songs: SongRow[] }

export function searchingMethods({ postgres, readTyped, shelf, now }: SubsonicParts): Methods {
  async function find(parameters: Parameters): Promise<Found> {
    const words = wordsOf(parameters)
    const artists = pageOf(parameters, 'artist')
    const albums = pageOf(parameters, 'album')
    const songs = pageOf(parameters, 'song')
    await shelf.putInOrder()
    if (words === '') return everything(postgres, { artists, albums, songs })
    const typed = await readTyped(words)
    const hits = (searched: Searched, page: Page) => findPage(postgres, searched, typed, page)
    const [artistRows, albumRows, songRows] = await Promise.all([
      hits(searchedArtists, artists).then((ids) => readArtists(postgres, ids)),
      hits(searchedAlbums, albums).then((ids) => readAlbums(postgres, ids)),
      hits(searchedTracks, songs).then((ids) => readSongs(postgres, ids, now())),
    ])
    return { artists: artistRows, albums: albumRows, songs: songRows }
  }

  return {
    async search2({ parameters, login: { account } }) {
      const { artists, albums, songs } = await find(parameters)
      return {
        searchResult2: {
          artist: await showArtists(postgres, account, artists, plainArtist),
          album: await showAlbums(postgres, account, albums, albumFolder),
          song: await showSongs(postgres, account, songs),
        },
      }
    },
    async search3({ parameters, login: { account } }) {
      const { artists, albums, songs } = await find(parameters)
      return {
        searchResult3: {
          artist: await showArtists(postgres, account, artists),
          album: await showAlbums(postgres, account, albums),
          song: await showSongs(postgres, account, songs),
        },
      }
    },
  }
}

/** Players write nothing, two quotation marks or a star for all there is. */
function wordsOf(parameters: Parameters): string {
  if (parameters.list('query').length === 0) {
    throw new SubsonicError('missingParameter', "the parameter 'query' is missing")
  }
  const query = (parameters.text('query') ?? '').slice(0, 200)
  return /[\p{L}\p{N}]/u.test(query) ? query : ''
}

function pageOf(parameters: Parameters, kind: 'artist' | 'album' | 'song'): Page {
  return {
    count: parameters.whole(`${kind}Count`, { least: 0, most: 500, instead: 20 }),
    offset: parameters.whole(`${kind}Offset`, { least: 0, most: maximumOffset, instead: 0 }),
  }
}

async function findPage(
  database: Database,
  searched: Searched,
  typed: Typed,
  { count, offset }: Page,
): Promise<string[]> {
  if (count === 0 || offset >= maximumHits) return []
  return (await findIds(database, searched, typed, offset + count)).slice(offset)
}

async function everything(
  postgres: Postgres,
  { artists, albums, songs }: Record<keyof Found, Page>,
): Promise<Found> {
  const page = 'ORDER BY e.id LIMIT $1 OFFSET $2'
  const [artistRows, albumRows, songRows] = await Promise.all([
    postgres.query<ArtistRow>(`${selectArtists} ${page}`, [artists.count, artists.offset]),
    postgres.query<AlbumRow>(`${selectAlbums} ${page}`, [albums.count, albums.offset]),
    readAllSongs(postgres, songs.count, songs.offset),
  ])
  return { artists: artistRows.rows, albums: albumRows.rows, songs: songRows }
}
