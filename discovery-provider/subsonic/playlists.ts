import type { Address } from '@hexachord/protocol/names'
import type { Database } from '../reading/entity.ts'
import { isoTime, seconds } from './albums.ts'
import type { Fields } from './answer.ts'
import { collectionsWithCover } from './covers.ts'
import { showSongs } from './favourites.ts'
import { notFound, playlistId, playlistOf } from './ids.ts'
import type { Methods, SubsonicParts } from './method.ts'
import { isShownInPlaylist, readPlaylistSongs } from './songs.ts'

export type PlaylistRow = {
  id: string
  author: string
  title: string
  description: string | null
  owner: string
  unlisted: boolean
  tracks: string[]
  created_at_ms: number
  updated_at_ms: number
  song_count: number
  duration_ms: number
}

const selectPlaylists = `
  SELECT p.id, p.author, p.title, p.description, p.unlisted, p.tracks, p.created_at_ms, p.updated_at_ms,
    coalesce((SELECT u.handle FROM profile u WHERE u.id = p.author), p.author) AS owner,
    songs.song_count, songs.duration_ms`
/** For the account in $1, by its clock in $2 (ms). */
const withSongs = `
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS song_count, coalesce(sum(t.duration_ms), 0)::bigint AS duration_ms
    FROM track t WHERE t.id = ANY (p.tracks) AND ${isShownInPlaylist('t', { account: '$1', nowMs: '$2' })}
  ) AS songs`

/** Sealed ones are for their author's own clients: their titles are sealed, too. */
const isOpen = (playlist: string) => `${playlist}.sealed IS NULL`

/** Of the listener's own, of those of others that it has saved, and of the newest that others have published. */
const maximumOwn = 500
const maximumSaved = 500
const maximumOthers = 50

/** The statement of all playlists that an account is shown: its own, those that it has saved last, the newest of others. */
const playlistsStatement = `
  ${selectPlaylists} FROM (
    (SELECT o.*, 0 AS part, o.created_at_ms AS since_ms FROM playlist o
     WHERE o.author = $1 AND NOT o.album AND ${isOpen('o')}
     ORDER BY o.created_at_ms DESC, o.id DESC LIMIT ${maximumOwn})
    UNION ALL
    (SELECT o.*, 1, s.since_ms FROM save s JOIN playlist o ON o.id = s.target
     WHERE s.author = $1 AND o.author <> $1 AND NOT o.album AND ${isOpen('o')}
     ORDER BY s.since_ms DESC, s.id DESC LIMIT ${maximumSaved})
    UNION ALL
    (SELECT o.*, 2, o.created_at_ms FROM playlist o
     WHERE NOT o.unlisted AND NOT o.album AND o.author <> $1
       AND NOT EXISTS (SELECT FROM save s WHERE s.id = $1 || '/' || o.id)
     ORDER BY o.created_at_ms DESC, o.id DESC LIMIT ${maximumOthers})
  ) AS p ${withSongs} ORDER BY p.part, p.since_ms DESC, p.id DESC`

export function playlistMethods({ postgres, shelf, writes, now }: SubsonicParts): Methods {
  /** Playlists as an account sees them: it may change its own, once it has let players do so. */
  async function show(account: Address, rows: readonly PlaylistRow[]): Promise<Fields[]> {
    const scopes = (await writes?.scopesOf(account)) ?? []
    const ids = rows.map(({ id }) => playlistId(id))
    await shelf.putInOrder()
    const covered = await collectionsWithCover(postgres, ids)
    return rows.map((row) => ({
      ...playlistFields(row),
      coverArt: covered.has(playlistId(row.id)) ? playlistId(row.id) : undefined,
      readonly: !(row.author === account && scopes.includes('playlist')),
    }))
  }

  return {
    async getPlaylists({ login }) {
      const { rows } = await postgres.query<PlaylistRow>(playlistsStatement, [login.account, now()])
      return { playlists: { playlist: await show(login.account, rows) } }
    },
    async getPlaylist({ parameters, login: { account } }) {
      const id = parameters.required('id')
      const row = await readPlaylist(postgres, playlistOf(id), account, now())
      if (row === undefined) throw notFound('playlist', id)
      const [shown] = await show(account, [row])
      const songs = await readPlaylistSongs(postgres, row.tracks, account, now())
      return { playlist: { ...shown, entry: await showSongs(postgres, account, songs) } }
    },
  }
}

/** One as an account sees it. Undefined for one that is private, too. */
export async function readPlaylist(
  database: Database,
  id: string,
  account: Address,
  nowMs: number,
): Promise<PlaylistRow | undefined> {
  const { rows } = await database.query<PlaylistRow>(
    `${selectPlaylists} FROM playlist p ${withSongs} WHERE p.id = $3 AND ${isOpen('p')}`,
    [account, nowMs, id],
  )
  return rows[0]
}

/** Whether there is one that is not private. */
export async function hasPlaylist(database: Database, id: string): Promise<boolean> {
  const { rows } = await database.query(`SELECT FROM playlist p WHERE p.id = $1 AND ${isOpen('p')}`, [id])
  return rows.length > 0
}

function playlistFields(row: PlaylistRow): Fields {
  return {
    id: playlistId(row.id),
    name: row.title,
    comment: row.description ?? undefined,
    owner: row.owner,
    public: !row.unlisted,
    songCount: row.song_count,
    duration: seconds(row.duration_ms),
    created: isoTime(row.created_at_ms),
    changed: isoTime(row.updated_at_ms),
  }
}
