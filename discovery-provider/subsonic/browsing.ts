import { denialOf } from '../takedowns/taken-down.ts'
import { albumFolder, readAlbums, readAlbumsOf } from './albums.ts'
import { ElementText, type Fields } from './answer.ts'
import {
  type ArtistRow,
  artistFields,
  artistFolder,
  indexed,
  maximumArtists,
  plainArtist,
  readArtists,
  selectArtists,
} from './artists.ts'
import { showAlbums, showArtists, showSongs } from './favourites.ts'
import { countGenres } from './genres.ts'
import { albumOf, artistId, authorOf, folderId, notFound, trackOf } from './ids.ts'
import type { Asked, Methods, SubsonicParts } from './method.ts'
import { authorBehind, readRelatedArtists } from './similar.ts'
import { readAlbumSongs, readSongs } from './songs.ts'

/** The shelf as artists, albums and songs, and the same as folders. */
export function browsingMethods({ postgres, shelf, now }: SubsonicParts): Methods {
  const genres = countGenres(postgres, now)

  async function allArtists(): Promise<ArtistRow[]> {
    await shelf.putInOrder()
    const { rows } = await postgres.query<ArtistRow>(
      `${selectArtists} ORDER BY e.words, e.id LIMIT ${maximumArtists}`,
    )
    return rows
  }

  /** When anything on the chain has changed or something has come out, in ms: artists change names, come and go. */
  async function lastChange(): Promise<number> {
    await shelf.putInOrder()
    const { rows } = await postgres.query<{ changed_ms: number | null }>(
      `SELECT greatest(
         (SELECT b.unix_seconds * 1000 FROM checkpoint c JOIN block b ON b.number = c.state_hash_block),
         (SELECT max(created_at_ms) FROM shelf_album)) AS changed_ms`,
    )
    return rows[0]?.changed_ms ?? 0
  }

  async function artistWithAlbums(id: string) {
    await shelf.putInOrder()
    const author = authorOf(id)
    const [artist] = await readArtists(postgres, [author])
    if (artist === undefined) throw notFound('artist', id)
    return { artist, albums: await readAlbumsOf(postgres, author) }
  }

  async function albumWithSongs(id: string) {
    albumOf(id)
    await shelf.putInOrder()
    const [album] = await readAlbums(postgres, [id])
    if (album === undefined) throw notFound('album', id)
    return { album, songs: await readAlbumSongs(postgres, id, now()) }
  }

  async function artistInfo(
    { parameters, login: { account } }: Asked,
    fieldsOf: (row: ArtistRow) => Fields,
  ): Promise<Fields> {
    const author = authorBehind(parameters.required('id'))
    const count = parameters.whole('count', { least: 0, most: 50, instead: 20 })
    await shelf.putInOrder()
    const [{ rows }, related] = await Promise.all([
      postgres.query<{ bio: string | null }>('SELECT bio FROM profile WHERE id = $1', [author]),
      readRelatedArtists(postgres, author, count, now()),
    ])
    const bio = rows[0]?.bio
    return {
      ...(typeof bio === 'string' ? { biography: new ElementText(bio) } : {}),
      similarArtist: await showArtists(postgres, account, related, fieldsOf),
    }
  }

  return {
    async getArtists({ login: { account } }) {
      const rows = await allArtists()
      const index = indexed(rows, await showArtists(postgres, account, rows))
      return { artists: { ignoredArticles: '', index } }
    },
    async getIndexes({ parameters, login: { account } }) {
      const lastModified = await lastChange()
      const since = parameters.whole('ifModifiedSince', { least: 0, most: 1e14, instead: -1 })
      const rows = lastModified > since ? await allArtists() : []
      const index = indexed(rows, await showArtists(postgres, account, rows, plainArtist))
      return { indexes: { lastModified, ignoredArticles: '', index } }
    },
    async getMusicDirectory({ parameters, login: { account } }) {
      const id = parameters.required('id')
      if (id === String(folderId)) {
        return { directory: { id, name: 'Hexachord', child: (await allArtists()).map(artistFolder) } }
      }
      if (id.startsWith('ar-')) {
        const { artist, albums } = await artistWithAlbums(id)
        const child = await showAlbums(postgres, account, albums, albumFolder)
        return { directory: { id, parent: String(folderId), name: artist.name, child } }
      }
      const { album, songs } = await albumWithSongs(id)
      const child = await showSongs(postgres, account, songs)
      return { directory: { id, parent: artistId(album.author), name: album.title, child } }
    },
    async getArtist({ parameters, login: { account } }) {
      const { artist, albums } = await artistWithAlbums(parameters.required('id'))
      const album = await showAlbums(postgres, account, albums)
      const [shown] = await showArtists(postgres, account, [artist])
      return { artist: { ...shown, album } }
    },
    async getAlbum({ parameters, login: { account } }) {
      const { album, songs } = await albumWithSongs(parameters.required('id'))
      const [shown] = await showAlbums(postgres, account, [album])
      return { album: { ...shown, song: await showSongs(postgres, account, songs) } }
    },
    async getSong({ parameters, login: { account } }) {
      const id = parameters.required('id')
      const track = trackOf(id)
      await shelf.putInOrder()
      const [song] = await showSongs(postgres, account, await readSongs(postgres, [track], now()))
      if (song === undefined) throw (await denialOf(postgres, track)) ?? notFound('song', id)
      return { song }
    },
    async getGenres() {
      await shelf.putInOrder()
      return { genres: { genre: await genres() } }
    },
    getArtistInfo: async (asked) => ({ artistInfo: await artistInfo(asked, plainArtist) }),
    getArtistInfo2: async (asked) => ({ artistInfo2: await artistInfo(asked, artistFields) }),
  }
}
