import type { Holder } from '@hexachord/protocol/rest'
import type { KeptCover } from '../manifests/index.ts'
import type { Database } from '../reading/entity.ts'
import { albumOf, songId } from './ids.ts'

/** A cover in all its sizes, narrowest first, and who has promised to hold it. */
export type SongCover = {
  readonly manifest: string
  readonly covers: readonly [KeptCover, ...KeptCover[]]
  readonly holders: readonly Holder[]
}

/** What is shown for an album or a playlist: the picture that its author has named, and the first of its songs that has
 * a cover. */
export type CollectionCover = {
  readonly id: string
  /** A CID. */
  readonly picture: string | null
  readonly track: string | null
}

/** Songs at the start of a collection that are looked at for a cover: an album has one for all, or none. */
const songsLookedAt = 20

/** Tracks, called `t`, whose manifests name a cover. */
const withCover = `track t JOIN manifest_seen m ON m.manifest = t.manifest AND m.covers <> '[]'`

/** The statement of {@link readCollectionCovers}; its plan is held to indexes by a test. */
export const collectionCoversStatement = `
  SELECT asked.id, p.cover AS picture, first.track
  FROM unnest($1::text[]) AS asked (id)
  LEFT JOIN playlist p ON p.id = substr(asked.id, 4)
  LEFT JOIN LATERAL (
    SELECT s.id AS track
    FROM (
      SELECT listed.track, listed.place
      FROM unnest(p.tracks[1:${songsLookedAt}]) WITH ORDINALITY AS listed (track, place)
      UNION ALL
      (SELECT single.id, -single.created_at_ms FROM shelf_song single
       WHERE single.album = asked.id AND p.id IS NULL
       ORDER BY single.created_at_ms DESC, single.id DESC LIMIT ${songsLookedAt})
    ) AS member (track, place)
    JOIN shelf_song s ON s.id = member.track
    JOIN (${withCover}) ON t.id = s.id
    ORDER BY member.place, s.id DESC LIMIT 1
  ) AS first ON true
  WHERE p.cover IS NOT NULL OR first.track IS NOT NULL`

/** Of those albums and playlists that have one, as the shelf stands.
 * @param ids as players see them */
export async function readCollectionCovers(
  database: Database,
  ids: readonly string[],
): Promise<CollectionCover[]> {
  if (ids.length === 0) return []
  return (await database.query<CollectionCover>(collectionCoversStatement, [[...new Set(ids)]])).rows
}

/** Which of some albums and playlists have a cover. @param ids as players see them */
export async function collectionsWithCover(
  database: Database,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  return new Set((await readCollectionCovers(database, ids)).map(({ id }) => id))
}

type Song = { readonly id: string; readonly album_id: string | null }

/** The album whose cover a song has where it has none of its own: songs in no album share nothing. */
export function coveringAlbum({ album_id: album }: Song): string | undefined {
  return album !== null && 'playlist' in albumOf(album) ? album : undefined
}

/** Under which id each song's cover is: its own, else that of its album; songs without one are left out.
 * @param songs by track id */
export async function coverIds(
  database: Database,
  songs: readonly Song[],
): Promise<ReadonlyMap<string, string>> {
  if (songs.length === 0) return new Map()
  const { rows } = await database.query<{ id: string }>(
    `SELECT t.id FROM unnest($1::text[]) AS asked (id) JOIN (${withCover}) ON t.id = asked.id`,
    [songs.map(({ id }) => id)],
  )
  const found = new Map(rows.map(({ id }) => [id, songId(id)]))
  const others = songs.flatMap((song) => {
    const album = found.has(song.id) ? undefined : coveringAlbum(song)
    return album === undefined ? [] : [{ id: song.id, album }]
  })
  const albums = await collectionsWithCover(
    database,
    others.map(({ album }) => album),
  )
  for (const { id, album } of others) if (albums.has(album)) found.set(id, album)
  return found
}

/** The cover that a track's manifest names; undefined where none is known. */
export async function readSongCover(database: Database, track: string): Promise<SongCover | undefined> {
  const { rows } = await database.query<SongCover>(
    `SELECT t.manifest, m.covers, ARRAY(
       SELECT json_build_object('operator', o.id, 'endpoint', o.gateway) FROM operator o
       WHERE o.id = ANY (t.operators) AND o.active AND o.gateway IS NOT NULL) AS holders
     FROM ${withCover} WHERE t.id = $1`,
    [track],
  )
  return rows[0]
}
