import type { Database } from '../reading/entity.ts'
import type { Fields } from './answer.ts'
import { artistId } from './ids.ts'

export type AlbumRow = {
  id: string
  author: string
  artist: string
  title: string
  song_count: number
  duration_ms: number
  genre: string | null
  created_at_ms: number
  plays: number
  words: string
}

/** Begins a query of albums, called `e`. */
export const selectAlbums = `
  SELECT e.id, e.author, e.artist, e.title, e.song_count, e.duration_ms, e.genre, e.created_at_ms, e.plays, e.words
  FROM shelf_album e`

export async function readAlbums(database: Database, ids: readonly string[]): Promise<AlbumRow[]> {
  const { rows } = await database.query<AlbumRow>(
    `${selectAlbums} JOIN unnest($1::text[]) WITH ORDINALITY AS asked (id, place) ON asked.id = e.id
     ORDER BY asked.place`,
    [ids],
  )
  return rows
}

/** The albums of an artist, newest first. */
export async function readAlbumsOf(database: Database, author: string): Promise<AlbumRow[]> {
  const { rows } = await database.query<AlbumRow>(
    `${selectAlbums} WHERE e.author = $1 ORDER BY e.created_at_ms DESC, e.id DESC LIMIT 2000`,
    [author],
  )
  return rows
}

/** AlbumID3. */
export function albumFields(row: AlbumRow): Fields {
  return {
    id: row.id,
    name: row.title,
    artist: row.artist,
    artistId: artistId(row.author),
    songCount: row.song_count,
    duration: seconds(row.duration_ms),
    playCount: row.plays,
    created: isoTime(row.created_at_ms),
    year: yearOf(row.created_at_ms),
    genre: row.genre ?? undefined,
    genres: row.genre === null ? [] : [{ name: row.genre }],
    artists: [{ id: artistId(row.author), name: row.artist }],
    displayArtist: row.artist,
    sortName: row.words,
  }
}

/** An album as a folder of songs. */
export function albumFolder(row: AlbumRow): Fields {
  return {
    id: row.id,
    parent: artistId(row.author),
    isDir: true,
    title: row.title,
    album: row.title,
    artist: row.artist,
    artistId: artistId(row.author),
    year: yearOf(row.created_at_ms),
    genre: row.genre ?? undefined,
    duration: seconds(row.duration_ms),
    songCount: row.song_count,
    playCount: row.plays,
    created: isoTime(row.created_at_ms),
  }
}

export const isoTime = (ms: number) => new Date(ms).toISOString()

/** The year is that in which it came out here: the catalogue knows of no earlier one. */
export const yearOf = (ms: number) => new Date(ms).getUTCFullYear()

export const seconds = (ms: number) => Math.round(ms / 1000)
