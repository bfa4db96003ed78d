import {
  type SearchAnswer,
  type Suggestion,
  searchAnswerSchema,
  suggestionsSchema,
} from '@hexachord/protocol/rest'
import * as z from 'zod'
import { type Database, searchText } from './entity.ts'
import { playlistOf, type ReadPlaylistRow, selectPlaylists } from './playlists.ts'
import { route } from './route.ts'
import {
  databaseNowMs,
  findEach,
  type Searched,
  type Sought,
  searchedPlaylists,
  searchedTracks,
  searchedUsers,
} from './search-matching.ts'
import { filterOf, trackFilters } from './track-filters.ts'
import { type ReadTrackRow, selectTracks, trackOf } from './tracks.ts'
import type { ReadTyped } from './typed-text.ts'
import { selectUsers, type UserRow, userOf } from './users.ts'

const searchQuery = z.strictObject({
  q: searchText(200).meta({ examples: ['ut queant'] }),
  limit: z.coerce.number<string>().int().min(1).max(50).default(20).meta({
    description:
      'Of each kind. There are no pages: what is ranked depends on what is liked at this moment. For more, narrow it, or read /v1/tracks with the same filters',
  }),
  ...trackFilters,
})
type SearchQuery = z.output<typeof searchQuery>

const suggestQuery = searchQuery.pick({ q: true }).extend({
  limit: z.coerce.number<string>().int().min(1).max(20).default(8),
})

/** What searches are made with. */
export type Finding = { readonly database: Database; readonly readTyped: ReadTyped }

/** Tracks, users and playlists as answers tell them. */
export const foundTracks: Sought = {
  searched: searchedTracks,
  select: selectTracks,
  joined: 'JOIN track t ON t.id = found.id',
}
export const foundUsers: Sought = {
  searched: searchedUsers,
  select: selectUsers('found.id', databaseNowMs),
  joined: 'JOIN profile p ON p.id = found.id',
}
export const foundPlaylists: Sought = {
  searched: searchedPlaylists,
  select: selectPlaylists,
  joined: 'JOIN playlist p ON p.id = found.id',
}

/** The best matches of each kind; nothing that is unlisted. */
export async function search(
  { database, readTyped }: Finding,
  { q, limit, ...filters }: SearchQuery,
  nowMs: number,
): Promise<SearchAnswer> {
  const filter = filterOf(filters)
  if (filter.values.length > 0) {
    const typed = await readTyped(q)
    const [tracks] = await findEach<[ReadTrackRow]>(database, [foundTracks], typed, limit, filter)
    return { tracks: tracks.map(trackOf), users: [], playlists: [], tags: [] }
  }
  const typed = await readTyped(q, limit)
  const kinds = [foundTracks, foundUsers, foundPlaylists]
  type Rows = [ReadTrackRow, UserRow, ReadPlaylistRow]
  const [tracks, users, playlists] = await findEach<Rows>(database, kinds, typed, limit)
  return {
    tracks: tracks.map(trackOf),
    users: users.map((user) => userOf(user, nowMs)),
    playlists: playlists.map(playlistOf),
    tags: typed.tags,
  }
}

/** What is suggested, and how each is called. */
export const named = [
  namedOf('track', searchedTracks, `e.title || ' · ' || e.artist`),
  namedOf('user', searchedUsers, 'coalesce(e.name, e.handle, e.id)'),
  namedOf('playlist', searchedPlaylists, 'e.title'),
]

function namedOf(kind: Suggestion['kind'], searched: Searched, text: string): Sought {
  return {
    searched,
    select: `SELECT '${kind}' AS kind, e.id, ${text} AS text`,
    joined: `JOIN ${searched.table} e ON e.id = found.id`,
  }
}

/** While somebody types: names alone, of each kind in turn. */
async function suggest(
  { database, readTyped }: Finding,
  { q, limit }: z.output<typeof suggestQuery>,
): Promise<Suggestion[]> {
  const typed = await readTyped(q, limit)
  const lists = await findEach<Suggestion[]>(database, named, typed, limit)
  const suggested = lists.map((list) => list.map(({ kind, id, text }) => ({ kind, id, text })))
  const tags = typed.tags.map((tag): Suggestion => ({ kind: 'tag', id: tag, text: tag }))
  return inTurn([...suggested, tags], limit)
}

/** The first of each list, then the second of each, and so on. */
export function inTurn<Item>(lists: readonly (readonly Item[])[], limit: number): Item[] {
  const longest = Math.max(0, ...lists.map((list) => list.length))
  return Array.from({ length: longest }, (_, place) => lists.flatMap((list) => list.slice(place, place + 1)))
    .flat()
    .slice(0, limit)
}

export function searchRoutes(finding: Finding, now: () => number) {
  return [
    route({
      path: '/v1/search',
      summary:
        'Tracks, users, playlists and tags by words; the last word may be unfinished, and any mistyped. With a filter, tracks only',
      query: searchQuery,
      answers: {
        200: {
          description: 'The best matches of each kind',
          name: 'SearchAnswer',
          schema: searchAnswerSchema,
        },
      },
      async answer({ query }) {
        return { body: await search(finding, query, now()), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/search/suggest',
      summary: 'What somebody who is typing may mean: names of tracks, users, playlists and tags',
      query: suggestQuery,
      answers: {
        200: { description: 'The best first', name: 'Suggestions', schema: suggestionsSchema },
      },
      async answer({ query }) {
        return { body: { items: await suggest(finding, query) }, freshness: 'brief' }
      },
    }),
  ]
}
