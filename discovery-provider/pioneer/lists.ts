import type { Address } from '@hexachord/protocol/names'
import type { PlaylistSummary, Track, User } from '@hexachord/protocol/rest'
import type { Database } from '../reading/entity.ts'
import { readPlaylists } from '../reading/playlists.ts'
import type { Finding } from '../reading/search.ts'
import {
  type Filter,
  findIds,
  type Searched,
  searchedPlaylists,
  searchedTracks,
  searchedUsers,
} from '../reading/search-matching.ts'
import { listTracks, readTracks } from '../reading/tracks.ts'
import { listTrending } from '../reading/trending.ts'
import { readUsers } from '../reading/users.ts'
import { readSlice, rowsOf, type Slice, sliceOf } from './paging.ts'
import { hasWords } from './track-filters.ts'

/** The times that apps ask for, by the list that stands for each. */
export const trendingTimes = { week: 'week', month: 'month', year: 'year', allTime: 'all' } as const

/** What is liked and heard; what is new where nothing has been yet. */
export async function trendingTracks(
  database: Database,
  { genre, time, ...slice }: Slice & { genre?: string | undefined; time: keyof typeof trendingTimes },
  nowMs: number,
): Promise<Track[]> {
  const asked = { list: trendingTimes[time], strategy: 'heard-1', genre } as const
  const first = await listTrending(database, { ...asked, limit: 1 }, nowMs)
  if (first.items.length === 0)
    return readSlice(slice, (page) => listTracks(database, { ...page, genre }, nowMs))
  return readSlice(slice, (page) => listTrending(database, { ...page, ...asked }, nowMs))
}

/** What is listened to; for as long as that is not told, what is new. */
export async function trendingPlaylists(database: Database, slice: Slice): Promise<PlaylistSummary[]> {
  const { text, values } = newestPlaylistsQuery(rowsOf(slice))
  const { rows } = await database.query<{ id: string }>(text, values)
  return readPlaylists(
    database,
    sliceOf(rows, slice).map(({ id }) => id),
  )
}

export function newestPlaylistsQuery(rows: number): { text: string; values: unknown[] } {
  return {
    text: `SELECT p.id FROM playlist p WHERE NOT p.unlisted AND NOT p.album
      ORDER BY p.created_at_ms DESC, p.id DESC LIMIT $1`,
    values: [rows],
  }
}

/** Also of what was listed when it was found: the next statement may see it otherwise. */
const isListed = ({ unlisted }: { unlisted: boolean }) => !unlisted

/** What is searched for. */
type Asked = Slice & { readonly query: string }

/** Ids of the best matches of one kind. */
async function idsOf(
  { database, readTyped }: Finding,
  searched: Searched,
  { query, ...slice }: Asked,
  filter?: Filter,
) {
  if (!hasWords(query)) return []
  return sliceOf(await findIds(database, searched, await readTyped(query), rowsOf(slice), filter), slice)
}

export async function findTracks(finding: Finding, asked: Asked, filter: Filter): Promise<Track[]> {
  const ids = await idsOf(finding, searchedTracks, asked, filter)
  return (await readTracks(finding.database, ids)).filter(isListed)
}

export async function findPlaylists(finding: Finding, asked: Asked): Promise<PlaylistSummary[]> {
  return (await readPlaylists(finding.database, await idsOf(finding, searchedPlaylists, asked))).filter(
    isListed,
  )
}

export async function findUsers(finding: Finding, asked: Asked, nowMs: number): Promise<User[]> {
  return readUsers(finding.database, (await idsOf(finding, searchedUsers, asked)) as Address[], nowMs)
}
