import { prepared } from '@hexachord/platform/postgres'
import type { Address } from '@hexachord/protocol/names'
import {
  type SearchAnswer,
  type Suggestion,
  searchAnswerSchema,
  suggestionsSchema,
} from '@hexachord/protocol/rest'
import * as z from 'zod'
import { type Database, searchText } from './entity.ts'
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
import type { ReadTyped } from './typed-text.ts'
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
    conditions: given.map(({ condition }, index) => condition(`$${index + 6}`)),
    values: given.map(({ value }) => value),
  }
}

/** What searches are made with. */
export type Finding = { readonly database: Database; readonly readTyped: ReadTyped }

/** Also of what was listed when it was found: the next statement may see it otherwise. */
export const isListed = ({ unlisted }: { unlisted: boolean }) => !unlisted

/** The best matches of each kind; nothing that is unlisted. */
export async function search(
  { database, readTyped }: Finding,
  { q, limit, ...filters }: SearchQuery,
  nowMs: number,
): Promise<SearchAnswer> {
  const filter = filterOf(filters)
  if (filter.values.length > 0) {
    const [ids = []] = await findEach(database, [searchedTracks], await readTyped(q), limit, filter)
    const tracks = await readTracks(database, ids)
    return { tracks: tracks.filter(isListed), users: [], playlists: [], tags: [] }
  }
  const findEntities = async () => {
    const kinds = [searchedTracks, searchedUsers, searchedPlaylists]
    const [trackIds = [], userIds = [], playlistIds = []] = await findEach(
      ...([database, kinds, await readTyped(q), limit] as const),
    )
    return Promise.all([
      readTracks(database, trackIds),
      readUsers(database, userIds as Address[], nowMs),
      readPlaylists(database, playlistIds),
    ])
  }
  const [[tracks, users, playlists], tags] = await Promise.all([findEntities(), findTags(database, q, limit)])
  return { tracks: tracks.filter(isListed), users, playlists: playlists.filter(isListed), tags }
}

/** Tags that begin with what was typed, the shortest first among the first few hundred. */
async function findTags(database: Database, q: string, limit: number): Promise<string[]> {
  const { rows } = await database.query<{ words: string }>(tagsStatement, [q, limit])
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
     JOIN ${searched.table} e ON e.id = asked.id WHERE ${searched.listed} ORDER BY asked.place`,
  )
  return { searched, statement }
}

/** While somebody types: names alone, of each kind in turn. */
async function suggest(
  { database, readTyped }: Finding,
  { q, limit }: z.output<typeof suggestQuery>,
): Promise<Suggestion[]> {
  const findNames = async () => {
    const kinds = named.map(({ searched }) => searched)
    const ids = await findEach(database, kinds, await readTyped(q), limit)
    return Promise.all(
      named.map(
        async ({ statement }, place) => (await database.query<Suggestion>(statement, [ids[place]])).rows,
      ),
    )
  }
  const [lists, tags] = await Promise.all([findNames(), findTags(database, q, limit)])
  const tagged = tags.map((tag): Suggestion => ({ kind: 'tag', id: tag, text: tag }))
  return inTurn([...lists, tagged], limit)
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
