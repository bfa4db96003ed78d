import type { Postgres } from '@hexachord/platform/postgres'
import type { Address } from '@hexachord/protocol/names'
import { type SearchAnswer, searchAnswerSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { PlaylistRow } from '../projections/playlists.ts'
import { type Database, searchText } from './entity.ts'
import { playlistOf, selectPlaylists } from './playlists.ts'
import { route } from './route.ts'
import { readTracks } from './tracks.ts'
import { readUsers } from './users.ts'

const searchQuery = z.strictObject({
  q: searchText(200),
  limit: z.coerce.number<string>().int().min(1).max(50).default(20),
})

/** What is searched: a table whose `search` and `words` columns are indexed where `listed` holds. */
export type Searched = { readonly table: string; readonly listed: string; readonly exact: string }

export const searchedTracks: Searched = {
  table: 'track',
  listed: 'NOT e.unlisted',
  exact: 'search_words(e.title) = search_words($1)',
}
export const searchedUsers: Searched = {
  table: 'profile',
  listed: 'TRUE',
  exact: 'e.handle = lower($1) OR search_words(e.name) = search_words($1)',
}
export const searchedPlaylists: Searched = {
  table: 'playlist',
  listed: 'NOT e.unlisted',
  exact: 'search_words(e.title) = search_words($1)',
}

/** Matches that are ranked at most: a word that half of the catalogue shares must not cost more than others. */
const rankedCandidates = 2_000

/** Fewer hits than this, and the words are taken for mistyped. Similarity costs twenty times an exact look-up. */
const enoughHits = 5

/** Shorter texts share their trigrams with everything. */
const shortestSimilar = 3

/** From 0 to 1: how much of the typed trigrams a word must share; two wrong letters in a long word pass. */
const similarityThreshold = '0.45'

const searchTimeoutMs = 5_000

/** Ids of the best matches: all words, the last one as a beginning; the whole name first, then by rank, then new ones. */
export function matchingQuery({ table, listed, exact }: Searched): string {
  return `
    WITH candidate AS (
      SELECT e.* FROM ${table} e WHERE e.search @@ typed_query($1) AND ${listed} LIMIT ${rankedCandidates}
    )
    SELECT e.id FROM candidate e
    ORDER BY (${exact}) IS TRUE DESC, ts_rank(e.search, typed_query($1)) DESC, e.created_at_ms DESC, e.id DESC
    LIMIT $2`
}

/** Ids of entities with words like the typed ones. */
export function similarQuery({ table, listed }: Searched): string {
  return `
    WITH candidate AS (
      SELECT e.id, e.created_at_ms, word_similarity(search_words($1), e.words) AS similarity
      FROM ${table} e WHERE search_words($1) <% e.words AND ${listed} LIMIT ${rankedCandidates}
    )
    SELECT id FROM candidate ORDER BY similarity DESC, created_at_ms DESC, id DESC LIMIT $2`
}

async function findIds(database: Database, searched: Searched, q: string, limit: number): Promise<string[]> {
  const matching = await database.query<{ id: string }>(matchingQuery(searched), [q, limit])
  const ids = matching.rows.map(({ id }) => id)
  if (ids.length >= Math.min(enoughHits, limit) || q.trim().length < shortestSimilar) return ids
  const similar = await database.query<{ id: string }>(similarQuery(searched), [q, limit])
  return [...new Set([...ids, ...similar.rows.map(({ id }) => id)])].slice(0, limit)
}

/** The best matches of each kind; nothing that is unlisted. */
export async function search(
  postgres: Postgres,
  { q, limit }: z.output<typeof searchQuery>,
  nowMs: number,
): Promise<SearchAnswer> {
  return postgres.transaction(
    async (client) => {
      await client.query(
        `SELECT set_config('pg_trgm.word_similarity_threshold', $1, true), set_config('statement_timeout', $2, true)`,
        [similarityThreshold, String(searchTimeoutMs)],
      )
      const tracks = await readTracks(client, await findIds(client, searchedTracks, q, limit))
      const userIds = await findIds(client, searchedUsers, q, limit)
      const users = await readUsers(client, userIds as Address[], nowMs)
      const playlistIds = await findIds(client, searchedPlaylists, q, limit)
      const { rows } = await client.query<PlaylistRow>(
        `${selectPlaylists} FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
         JOIN playlist p ON p.id = asked.id ORDER BY asked.place`,
        [playlistIds],
      )
      return { tracks, users, playlists: rows.map(playlistOf) }
    },
    { readOnly: true, isolation: 'repeatable read' },
  )
}

export function searchRoutes(postgres: Postgres, now: () => number) {
  return [
    route({
      path: '/v1/search',
      summary: 'Tracks, users and playlists by words; the last word may be unfinished',
      query: searchQuery,
      answers: {
        200: {
          description: 'The best matches of each kind',
          name: 'SearchAnswer',
          schema: searchAnswerSchema,
        },
      },
      async answer({ query }) {
        return { body: await search(postgres, query, now()), freshness: 'checked' }
      },
    }),
  ]
}
