import type { Database } from '../reading/entity.ts'
import type { Fields } from './answer.ts'
import { artistId, folderId } from './ids.ts'

export type ArtistRow = {
  id: string
  name: string
  album_count: number
  picture: string | null
  /** The name as it is sorted. */
  words: string
}

/** Begins a query of artists, called `e`. */
export const selectArtists = 'SELECT e.id, e.name, e.album_count, e.picture, e.words FROM shelf_artist e'

/** One answer holds so many, since the protocol has no pages for them. */
export const maximumArtists = 20_000

export async function readArtists(database: Database, ids: readonly string[]): Promise<ArtistRow[]> {
  const { rows } = await database.query<ArtistRow>(
    `${selectArtists} JOIN unnest($1::text[]) WITH ORDINALITY AS asked (id, place) ON asked.id = e.id
     ORDER BY asked.place`,
    [ids],
  )
  return rows
}

/** ArtistID3. */
export function artistFields({ id, name, album_count, picture, words }: ArtistRow): Fields {
  return {
    id: artistId(id),
    name,
    coverArt: picture === null ? undefined : artistId(id),
    albumCount: album_count,
    sortName: words,
    roles: ['artist', 'albumartist'],
  }
}

/** An artist where only its name is told. */
export const plainArtist = ({ id, name }: ArtistRow): Fields => ({ id: artistId(id), name })

/** An artist as a folder of albums. */
export function artistFolder({ id, name, picture }: ArtistRow): Fields {
  return {
    id: artistId(id),
    parent: String(folderId),
    isDir: true,
    title: name,
    artist: name,
    coverArt: picture === null ? undefined : artistId(id),
  }
}

/** Artists by the first letter of their names; what is no letter goes under `#`.
 * @param rows sorted
 * @param shown each of them */
export function indexed(rows: readonly ArtistRow[], shown: readonly Fields[]): Fields[] {
  const letters = new Map<string, Fields[]>()
  for (const [place, row] of rows.entries()) {
    const [first = ''] = row.words
    const letter = /\p{L}/u.test(first) ? first.toUpperCase() : '#'
    const artists = letters.get(letter) ?? []
    artists.push(shown[place] ?? {})
    letters.set(letter, artists)
  }
  return [...letters].map(([name, artist]) => ({ name, artist }))
}
