import { type Postgres, type PostgresClient, prepared } from '@hexachord/platform/postgres'
import type { Address } from '@hexachord/protocol/names'
import {
  type SearchAnswer,
  type Suggestion,
  searchAnswerSchema,
  suggestionsSchema,
} from '@hexachord/protocol/rest'
import * as z from 'zod'
import { searchText } from './entity.ts'
import { readPlaylists } from './playlists.ts'
import { route } from './route.ts'
import {
  type Filter,
  findEach,
  type Searched,
  searchedPlaylists,
  searchedTracks,
  searchedUsers,
} from './search-matching.ts'
import { readTracks } from './tracks.ts'
import { readTyped } from './typed-text.ts'
import { readUsers } from './users.ts'

const tempo = z.coerce.number<string>().min(10).max(999)

/** What tracks can be narrowed to; users and playlists have none of it, and are not looked for then. */
const trackFilters = {
  genre: searchText(60).optional(),
  mood: searchText(60).optional(),
  tag: searchText(30).optional(),
  /** Beats per minute, as a tag such as `bpm:124` tells them. */
  bpmMin: tempo.optional(),
  bpmMax: tempo.optional(),
  /** As a tag such as `key:F#m` tells it; flats and sharps are the same. */
  key: z
    .string()
    .regex(/^[A-Ga-g][#b♯♭]? ?(m|min|minor|maj|major)?$/, 'must be a key such as C, F#m or B♭ minor')
    .optional(),
}

const searchQuery = z.strictObject({
  q: searchText(200).meta({ examples: ['ut queant'] }),
  limit: z.coerce.number<string>().int().min(1).max(50).default(20),
  ...trackFilters,
})
type SearchQuery = z.output<typeof searchQuery>

const suggestQuery = searchQuery.pick({ q: true }).extend({
  limit: z.coerce.number<string>().int().min(1).max(20).default(8),
})

const searchTimeoutMs = 5_000

/** Runs a search in one snapshot, with a time-out. */
export function searching<Found>(
  postgres: Postgres,
  work: (client: PostgresClient) => Promise<Found>,
): Promise<Found> {
  return postgres.transaction(work, {
    ...{ readOnly: true, isolation: 'repeatable read', statementTimeoutMs: searchTimeoutMs },
  })
}

/** How each filter of tracks narrows them, by the number of its value. */
const filterConditions: Readonly<Record<keyof typeof trackFilters, (value: string) => string>> = {
  genre: (value) => `e.genre_words = (SELECT search_words(${value}))`,
  mood: (value) => `e.mood_words = (SELECT search_words(${value}))`,
  tag: (value) => `e.tag_words @> ARRAY[(SELECT search_words(${value}))]`,
  bpmMin: (value) => `e.bpm >= ${value}::real`,
  bpmMax: (value) => `e.bpm <= ${value}::real`,
  key: (value) => `e.key = (SELECT musical_key(${value}))`,
}

export function filterOf(asked: Partial<SearchQuery>): Filter {
  const given = (Object.keys(trackFilters) as (keyof typeof trackFilters)[]).flatMap((name) =>
    asked[name] === undefined ? [] : [{ condition: filterConditions[name], value: asked[name] }],
  )
  return {
    conditions: given.map(({ condition }, index) => condition(`$${index + 5}`)),
    values: given.map(({ value }) => value),
  }
}

/** The best matches of each kind; nothing that is unlisted. */
export async function search(
  postgres: Postgres,
  { q, limit, ...filters }: SearchQuery,
  nowMs: number,
): Promise<SearchAnswer> {
  const filter = filterOf(filters)
  return searching(postgres, async (client) => {
    const typed = await readTyped(client, q)
    if (filter.values.length > 0) {
      const [ids = []] = await findEach(client, [searchedTracks], typed, limit, filter)
      return { tracks: await readTracks(client, ids), users: [], playlists: [], tags: [] }
    }
    const [[trackIds = [], userIds = [], playlistIds = []], tags] = await Promise.all([
      findEach(client, [searchedTracks, searchedUsers, searchedPlaylists], typed, limit),
      findTags(client, q, limit),
    ])
    const [tracks, users, playlists] = await Promise.all([
      readTracks(client, trackIds),
      readUsers(client, userIds as Address[], nowMs),
      readPlaylists(client, playlistIds),
    ])
    return { tracks, users, playlists, tags }
  })
}

/** Tags that begin with what was typed, the shortest first among the first few hundred. */
async function findTags(client: PostgresClient, q: string, limit: number): Promise<string[]> {
  const { rows } = await client.query<{ words: string }>(tagsStatement, [q, limit])
  return rows.map(({ words }) => words)
}

export const tagsStatement = prepared(
  'tags',
  `WITH typed AS (SELECT search_words($1) AS words), near AS (
    SELECT tag.words FROM typed, search_tag tag
    WHERE tag.words >= typed.words COLLATE "C" AND tag.words < (typed.words || chr(1114111)) COLLATE "C"
    ORDER BY tag.words LIMIT 500
  )
  SELECT words FROM near ORDER BY length(words), words LIMIT $2`,
)

/** What is suggested, and how each is called. */
const named = [
  namedOf('track', searchedTracks, `e.title || ' · ' || e.artist`),
  namedOf('user', searchedUsers, 'coalesce(e.name, e.handle, e.id)'),
  namedOf('playlist', searchedPlaylists, 'e.title'),
]

function namedOf(kind: Suggestion['kind'], searched: Searched, text: string) {
  const statement = prepared(
    `names of ${searched.table}`,
    `SELECT '${kind}' AS kind, e.id, ${text} AS text
     FROM unnest((SELECT $1::text[])) WITH ORDINALITY AS asked (id, place)
     JOIN ${searched.table} e ON e.id = asked.id ORDER BY asked.place`,
  )
  return { searched, statement }
}

/** While somebody types: names alone, of each kind in turn. */
async function suggest(
  postgres: Postgres,
  { q, limit }: z.output<typeof suggestQuery>,
): Promise<Suggestion[]> {
  return searching(postgres, async (client) => {
    const typed = await readTyped(client, q)
    const [ids, tags] = await Promise.all([
      findEach(
        client,
        named.map(({ searched }) => searched),
        typed,
        limit,
      ),
      findTags(client, q, limit),
    ])
    const lists = await Promise.all(
      named.map(
        async ({ statement }, place) => (await client.query<Suggestion>(statement, [ids[place]])).rows,
      ),
    )
    const tagged = tags.map((tag): Suggestion => ({ kind: 'tag', id: tag, text: tag }))
    return inTurn([...lists, tagged], limit)
  })
}

/** The first of each list, then the second of each, and so on. */
export function inTurn<Item>(lists: readonly (readonly Item[])[], limit: number): Item[] {
  const longest = Math.max(0, ...lists.map((list) => list.length))
  return Array.from({ length: longest }, (_, place) => lists.flatMap((list) => list.slice(place, place + 1)))
    .flat()
    .slice(0, limit)
}

export function searchRoutes(postgres: Postgres, now: () => number) {
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
        return { body: await search(postgres, query, now()), freshness: 'checked' }
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
        return { body: { items: await suggest(postgres, query) }, freshness: 'brief' }
      },
    }),
  ]
}
