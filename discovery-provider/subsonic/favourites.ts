import type { Address } from '@hexachord/protocol/names'
import { placeBefore } from '../reading/cursor.ts'
import type { Database } from '../reading/entity.ts'
import { edgesQuery } from '../reading/follows.ts'
import { type AlbumRow, albumFields, isoTime, readAlbums } from './albums.ts'
import type { Fields } from './answer.ts'
import { type ArtistRow, artistFields, readArtists } from './artists.ts'
import { collectionsWithCover, coverIds } from './covers.ts'
import { maximumSongs, readSongs, type SongRow, songFields } from './songs.ts'

/** More are shown as followed to nobody. */
const maximumFollowed = 2_000

/** What a listener has saved and whom it follows, newest first, so far as it is there: favourites in the words of the
 * protocol.
 * @param nowMs the reader's clock */
export async function readFavourites(
  database: Database,
  account: Address,
  nowMs: number,
): Promise<{ artists: ArtistRow[]; songs: SongRow[]; albums: AlbumRow[] }> {
  const { text, values } = edgesQuery('save', 'author', account, placeBefore(undefined), maximumSongs)
  const { rows } = await database.query<{ target: string }>(text, values)
  const targets = rows.map(({ target }) => target)
  return {
    artists: await readArtists(database, [...(await followedBy(database, account)).keys()]),
    songs: await readSongs(database, targets, nowMs),
    albums: await readAlbums(
      database,
      targets.map((target) => `al-${target}`),
    ),
  }
}

/** Songs as an account sees them: with when it has saved them, and where their covers are. */
export async function showSongs(
  database: Database,
  account: Address,
  rows: readonly SongRow[],
): Promise<Fields[]> {
  const ids = rows.map(({ id }) => id)
  const [saved, covers] = await Promise.all([savedBy(database, account, ids), coverIds(database, rows)])
  return rows.map((row) => ({
    ...songFields(row),
    coverArt: covers.get(row.id),
    starred: saved.get(row.id),
  }))
}

/** Albums as an account sees them. @param fieldsOf in which form */
export async function showAlbums(
  database: Database,
  account: Address,
  rows: readonly AlbumRow[],
  fieldsOf: (row: AlbumRow) => Fields = albumFields,
): Promise<Fields[]> {
  const subjectOf = ({ id }: AlbumRow) => id.slice('al-'.length)
  const [saved, covered] = await Promise.all([
    savedBy(database, account, rows.map(subjectOf)),
    collectionsWithCover(
      database,
      rows.map(({ id }) => id),
    ),
  ])
  return rows.map((row) => ({
    ...fieldsOf(row),
    coverArt: covered.has(row.id) ? row.id : undefined,
    starred: saved.get(subjectOf(row)),
  }))
}

/** Artists as an account sees them: with when it has followed them. */
export async function showArtists(
  database: Database,
  account: Address,
  rows: readonly ArtistRow[],
  fieldsOf: (row: ArtistRow) => Fields = artistFields,
): Promise<Fields[]> {
  const followed = await followedBy(database, account)
  return rows.map((row) => ({ ...fieldsOf(row), starred: followed.get(row.id) }))
}

/** Since when an account follows others, the newest of them first. */
async function followedBy(database: Database, account: Address): Promise<ReadonlyMap<string, string>> {
  const { text, values } = edgesQuery('follow', 'author', account, placeBefore(undefined), maximumFollowed)
  const { rows } = await database.query<{ target: string; since_ms: number }>(text, values)
  return new Map(rows.map(({ target, since_ms: sinceMs }) => [target, isoTime(sinceMs)]))
}

/** When an account has saved each of some things. */
async function savedBy(
  database: Database,
  account: Address,
  targets: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (targets.length === 0) return new Map()
  const { rows } = await database.query<{ target: string; since_ms: number }>(
    'SELECT target, since_ms FROM save WHERE id = ANY ($1)',
    [targets.map((target) => `${account}/${target}`)],
  )
  return new Map(rows.map(({ target, since_ms: sinceMs }) => [target, isoTime(sinceMs)]))
}
