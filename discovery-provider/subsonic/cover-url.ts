import { gatewayOf } from '../reading/live-holders.ts'
import { pictureUrl } from '../reading/pictures.ts'
import { readAlbums } from './albums.ts'
import { readArtists } from './artists.ts'
import { coveringAlbum, readCollectionCovers, readSongCover, type SongCover } from './covers.ts'
import { albumOf, authorOf, notFound, playlistOf, trackOf } from './ids.ts'
import type { SubsonicParts } from './method.ts'
import { hasPlaylist } from './playlists.ts'
import { readSongs } from './songs.ts'
import { requireHolder } from './stream-url.ts'

/** Where the cover of a song, album, playlist or artist is at this moment: the one that answers name as `coverArt`.
 * A song without one has that of its album, a collection without one that of its first song that has one.
 * @param size px; the narrowest that the network has and that is as wide is given, else the widest
 * @throws SubsonicError 70 where there is none, or nobody has the picture; 503 when no node that holds it answers */
export async function coverUrl(parts: SubsonicParts, id: string, size: number): Promise<URL> {
  const url = await findCover(parts, id, size)
  if (url === undefined) throw notFound('cover', id)
  return url
}

function findCover(parts: SubsonicParts, id: string, size: number): Promise<URL | undefined> {
  switch (id.slice(0, 3)) {
    case 'ar-':
      return coverOfArtist(parts, id)
    case 'tr-':
      return coverOfSong(parts, id, size)
    case 'al-':
      return coverOfAlbum(parts, id, size)
    case 'pl-':
      return coverOfPlaylist(parts, id, size)
    default:
      throw notFound('cover', id)
  }
}

async function coverOfArtist(parts: SubsonicParts, id: string): Promise<URL | undefined> {
  const [artist] = await readArtists(parts.postgres, [authorOf(id)])
  return picture(parts, artist?.picture ?? null)
}

async function coverOfSong(parts: SubsonicParts, id: string, size: number): Promise<URL | undefined> {
  const [song] = await readSongs(parts.postgres, [trackOf(id)], parts.now())
  if (song === undefined) return undefined
  const own = await readSongCover(parts.postgres, song.id)
  if (own !== undefined) return atHolder(parts, own, size)
  const album = coveringAlbum(song)
  return album === undefined ? undefined : coverOfCollection(parts, album, size)
}

async function coverOfAlbum(parts: SubsonicParts, id: string, size: number): Promise<URL | undefined> {
  albumOf(id)
  const [album] = await readAlbums(parts.postgres, [id])
  return album && coverOfCollection(parts, id, size)
}

async function coverOfPlaylist(parts: SubsonicParts, id: string, size: number): Promise<URL | undefined> {
  const isThere = await hasPlaylist(parts.postgres, playlistOf(id))
  return isThere ? coverOfCollection(parts, id, size) : undefined
}

async function coverOfCollection(parts: SubsonicParts, id: string, size: number): Promise<URL | undefined> {
  const [cover] = await readCollectionCovers(parts.postgres, [id])
  if (cover === undefined) return undefined
  const named = await picture(parts, cover.picture)
  if (named !== undefined || cover.track === null) return named
  const ofSong = await readSongCover(parts.postgres, cover.track)
  return ofSong && atHolder(parts, ofSong, size)
}

/** Pictures that profiles and playlists name have one size, and nobody has promised to hold them. */
async function picture(
  { postgres, liveHolders }: SubsonicParts,
  cid: string | null,
): Promise<URL | undefined> {
  const url = cid === null ? undefined : await pictureUrl({ database: postgres, liveHolders }, cid)
  return url === undefined ? undefined : new URL(url)
}

async function atHolder(parts: SubsonicParts, cover: SongCover, size: number): Promise<URL> {
  const { endpoint } = await requireHolder(parts.liveHolders, cover)
  const widest = cover.covers.at(-1)
  const { cid, type } = cover.covers.find(({ width }) => width >= size) ?? widest ?? cover.covers[0]
  return new URL(`${gatewayOf(endpoint)}/ipfs/${cid}?filename=cover.${type.slice('image/'.length)}`)
}
