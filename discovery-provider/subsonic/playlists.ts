import type { Address } from '@hexachord/protocol/names'
import type { Database } from '../reading/entity.ts'
import { isoTime, seconds } from './albums.ts'
import type { Fields } from './answer.ts'
import { collectionsWithCover } from './covers.ts'
import { showSongs } from './favourites.ts'
import { notFound, playlistId, playlistOf } from './ids.ts'
import type { Methods, SubsonicParts } from './method.ts'
import { readSongs } from './songs.ts'

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
const withSongs = `
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS song_count, coalesce(sum(t.duration_ms), 0)::bigint AS duration_ms
    FROM track t WHERE t.id = ANY (p.tracks) AND t.listed_at_ms <= (SELECT released_until($2))
  ) AS songs`

/** Sealed ones are for their author's own clients: their titles are sealed, too. */
const isOpen = (playlist: string) => `${playlist}.sealed IS NULL`

/** Of the listener's own, and of the newest that others have published. */
const maximumOwn = 500
const maximumOthers = 50

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
      const { rows } = await postgres.query<PlaylistRow>(
        `${selectPlaylists} FROM (
           (SELECT o.*, 0 AS part FROM playlist o WHERE o.author = $1 AND NOT o.album AND ${isOpen('o')}
            ORDER BY o.created_at_ms DESC, o.id DESC LIMIT ${maximumOwn})
           UNION ALL
           (SELECT o.*, 1 FROM playlist o WHERE NOT o.unlisted AND NOT o.album AND o.author <> $1
            ORDER BY o.created_at_ms DESC, o.id DESC LIMIT ${maximumOthers})
         ) AS p ${withSongs} ORDER BY p.part, p.created_at_ms DESC, p.id DESC`,
        [login.account, now()],
      )
      return { playlists: { playlist: await show(login.account, rows) } }
    },
    async getPlaylist({ parameters, login: { account } }) {
      const id = parameters.required('id')
      const row = await readPlaylist(postgres, playlistOf(id), now())
      if (row === undefined) throw notFound('playlist', id)
      const [shown] = await show(account, [row])
      const songs = await readSongs(postgres, row.tracks, now())
      return { playlist: { ...shown, entry: await showSongs(postgres, account, songs) } }
    },
  }
}

/** Undefined for one that is private, too. */
export async function readPlaylist(
  database: Database,
  id: string,
  nowMs: number,
): Promise<PlaylistRow | undefined> {
  const { rows } = await database.query<PlaylistRow>(
    `${selectPlaylists} FROM playlist p ${withSongs} WHERE p.id = $1 AND ${isOpen('p')}`,
    [id, nowMs],
  )
  return rows[0]
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
