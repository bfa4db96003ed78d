import { maximumPlaylistTracks } from '@hexachord/protocol/actions'
import type { Address } from '@hexachord/protocol/names'
import type { KeptAudio } from '../manifests/index.ts'
import type { Database } from '../reading/entity.ts'
import { isOpenTrack } from '../reading/tracks.ts'
import { isoTime, seconds, yearOf } from './albums.ts'
import type { Fields } from './answer.ts'
import { artistId, songId } from './ids.ts'

export type SongRow = {
  id: string
  author: string
  title: string
  artist: string
  genre: string | null
  mood: string | null
  isrc: string | null
  description: string | null
  duration_ms: number
  listed_at_ms: number
  /** Of the album under which it is shown; NULL for what is not listed. */
  album_id: string | null
  album: string | null
  album_artist: string | null
  place: number | null
  plays: number
  /** NULL while its manifest has not been read. */
  audio: KeptAudio | null
}

const songColumns = `
  t.id, t.author, t.title, t.artist, t.genre, t.mood, t.isrc, t.description, t.duration_ms, t.listed_at_ms,
  (SELECT coalesce(sum(p.count), 0)::bigint FROM play p WHERE p.track = t.id) AS plays,
  (SELECT m.audio FROM manifest_seen m WHERE m.manifest = t.manifest) AS audio`

/** Begins a query of songs, called `t`, each in the album where it is at home. */
const selectSongs = (from: string) => `
  SELECT ${songColumns}, a.id AS album_id, a.title AS album, a.artist AS album_artist, s.place
  FROM ${from} LEFT JOIN shelf_song s ON s.id = t.id LEFT JOIN shelf_album a ON a.id = s.album`

/** No answer has more songs than a playlist can have. */
export const maximumSongs = maximumPlaylistTracks

/** Those of some tracks that a player can play: what is encrypted or costs something, none of them can. */
export async function onlyOpen(database: Database, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const { rows } = await database.query<{ id: string }>(
    `SELECT t.id FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, position) JOIN track t ON t.id = asked.id
     WHERE ${isOpenTrack} ORDER BY asked.position`,
    [ids],
  )
  return rows.map(({ id }) => id)
}

/** Songs by track id, in the order asked for, unlisted ones too; ids of none and of what is not out are left out.
 * @param nowMs the reader's clock */
export async function readSongs(
  database: Database,
  ids: readonly string[],
  nowMs: number,
): Promise<SongRow[]> {
  if (ids.length === 0) return []
  const asked = 'unnest($1::text[]) WITH ORDINALITY AS asked (id, position) JOIN track t ON t.id = asked.id'
  const { rows } = await database.query<SongRow>(
    `${selectSongs(asked)} WHERE t.listed_at_ms <= (SELECT released_until($2)) ORDER BY asked.position`,
    [ids, nowMs],
  )
  return rows
}

/** The songs of a playlist, in its order, as an account sees them: those that are listed and out, and of its own also
 * unlisted ones. */
export async function readPlaylistSongs(
  database: Database,
  tracks: readonly string[],
  account: Address,
  nowMs: number,
): Promise<SongRow[]> {
  if (tracks.length === 0) return []
  const asked = 'unnest($1::text[]) WITH ORDINALITY AS asked (id, position) JOIN track t ON t.id = asked.id'
  const { rows } = await database.query<SongRow>(
    `${selectSongs(asked)} WHERE ${isShownInPlaylist('t', { account: '$2', nowMs: '$3' })} ORDER BY asked.position`,
    [tracks, account, nowMs],
  )
  return rows
}

/** Those tracks of a playlist that there are, but that an account is not shown in it. */
export async function readHiddenSongs(
  database: Database,
  tracks: readonly string[],
  account: Address,
  nowMs: number,
): Promise<string[]> {
  const { rows } = await database.query<{ id: string }>(
    `SELECT t.id FROM track t WHERE t.id = ANY ($1)
       AND NOT (${isShownInPlaylist('t', { account: '$2', nowMs: '$3' })})`,
    [tracks, account, nowMs],
  )
  return rows.map(({ id }) => id)
}

/** Condition on tracks of playlists: see {@link readPlaylistSongs}.
 * @param at names of the parameters */
export const isShownInPlaylist = (track: string, at: { account: string; nowMs: string }) =>
  `(NOT ${track}.unlisted OR ${track}.author = ${at.account})
   AND ${track}.listed_at_ms <= (SELECT released_until(${at.nowMs}))`

/** The songs of an album on the shelf, in its order; those of no album newest first. */
export async function readAlbumSongs(database: Database, album: string, nowMs: number): Promise<SongRow[]> {
  const { rows } = await database.query<SongRow>(
    `SELECT ${songColumns}, a.id AS album_id, a.title AS album, a.artist AS album_artist, m.place
     FROM shelf_album a
     CROSS JOIN LATERAL (
       SELECT listed.track, listed.place::int AS place
       FROM playlist p CROSS JOIN LATERAL unnest(p.tracks) WITH ORDINALITY AS listed (track, place)
       WHERE a.id = 'al-' || p.id AND p.id = substr($1, 4)
       UNION ALL
       (SELECT s.id, NULL FROM shelf_song s WHERE s.album = $1 AND $1 = 'al-' || a.author
        ORDER BY s.created_at_ms DESC, s.id DESC LIMIT ${maximumSongs})
     ) AS m
     JOIN track t ON t.id = m.track AND NOT t.unlisted AND t.listed_at_ms <= (SELECT released_until($2))
     WHERE a.id = $1
     ORDER BY m.place, t.listed_at_ms DESC, t.id DESC`,
    [album, nowMs],
  )
  return rows
}

type GenrePage = { readonly genre: string; readonly count: number; readonly offset: number }

/** Listed songs of a genre, newest first. */
export async function readSongsOfGenre(
  database: Database,
  page: GenrePage,
  nowMs: number,
): Promise<SongRow[]> {
  const { text, values } = songsOfGenreQuery(page, nowMs)
  return (await database.query<SongRow>(text, values)).rows
}

/** The statement of {@link readSongsOfGenre}; its plan is held to the index by a test. */
export function songsOfGenreQuery(
  { genre, count, offset }: GenrePage,
  nowMs: number,
): { text: string; values: unknown[] } {
  return {
    text: `${selectSongs('track t')} WHERE NOT t.unlisted AND t.genre_words = search_words($1)
      AND t.listed_at_ms <= (SELECT released_until($4))
      ORDER BY t.listed_at_ms DESC, t.id DESC LIMIT $2 OFFSET $3`,
    values: [genre, count, offset, nowMs],
  }
}

/** All listed songs in one order that lasts, page by page. */
export async function readAllSongs(database: Database, count: number, offset: number): Promise<SongRow[]> {
  const { rows } = await database.query<SongRow>(
    `${selectSongs('(SELECT id FROM shelf_song ORDER BY id LIMIT $1 OFFSET $2) AS page JOIN track t ON t.id = page.id')}
     ORDER BY t.id`,
    [count, offset],
  )
  return rows
}

/** The protocol's Child, for a song. */
export function songFields(row: SongRow): Fields {
  const artists = [{ id: artistId(row.author), name: row.artist }]
  const albumArtist = row.album_artist ?? row.artist
  return {
    id: songId(row.id),
    parent: row.album_id ?? artistId(row.author),
    isDir: false,
    title: row.title,
    album: row.album ?? undefined,
    albumId: row.album_id ?? undefined,
    artist: row.artist,
    artistId: artistId(row.author),
    track: row.place ?? undefined,
    year: yearOf(row.listed_at_ms),
    genre: row.genre ?? undefined,
    duration: seconds(row.duration_ms),
    ...(row.audio === null ? {} : audioFields(row.audio)),
    contentType: 'audio/mp4',
    suffix: 'm4a',
    path: `${pathPart(albumArtist)}/${pathPart(row.album ?? 'Unlisted')}/${pathPart(row.title)}.m4a`,
    isVideo: false,
    type: 'music',
    mediaType: 'song',
    playCount: row.plays,
    created: isoTime(row.listed_at_ms),
    comment: row.description ?? '',
    isrc: row.isrc === null ? [] : [row.isrc],
    genres: row.genre === null ? [] : [{ name: row.genre }],
    moods: row.mood === null ? [] : [row.mood],
    artists,
    displayArtist: row.artist,
    albumArtists: [{ id: artistId(row.author), name: albumArtist }],
    displayAlbumArtist: albumArtist,
  }
}

/** Of the file that a player gets which asks for no other one. */
function audioFields({ renditions, loudness }: KeptAudio): Fields {
  const [usual] = renditions
  return {
    ...(usual && {
      size: usual.byteLength,
      bitRate: usual.kbits,
      samplingRate: usual.sampleRateHz,
      channelCount: usual.channels,
    }),
    ...(loudness && {
      replayGain: {
        // ReplayGain 2.0 brings all to -18 LUFS.
        trackGain: Math.round((-18_000 - loudness.milliLufs) / 10) / 100,
        trackPeak: Number((10 ** (loudness.truePeakMilliDbtp / 20_000)).toFixed(6)),
      },
    }),
  }
}

/** Players make names of files from it. */
function pathPart(text: string): string {
  return text.replaceAll(/[/\\]/g, '_').replace(/^\.+/, '_')
}
