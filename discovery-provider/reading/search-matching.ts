import { type Prepared, prepared } from '@hexachord/platform/postgres'
import type { Database } from './entity.ts'
import type { Typed } from './typed-text.ts'

/** What is searched: a table whose `search` column is indexed where `listed` holds. Each of `named` says whether an
 * entity's name is just what was typed, `liked` how many care for it: it puts matches alike in order. */
export type Searched = {
  readonly table: string
  readonly listed: string
  readonly named: readonly string[]
  readonly liked?: string
}

export const searchedTracks: Searched = {
  table: 'track',
  listed:
    'NOT e.unlisted AND e.listed_at_ms <= (SELECT released_until((extract(epoch FROM now()) * 1000)::bigint))',
  named: ['e.title_words = (SELECT search_words($1))'],
  liked: `(SELECT r.score FROM ranking r WHERE r.track = e.id AND r.strategy = 'heard-1' AND r.list = 'all')`,
}
export const searchedUsers: Searched = {
  table: 'profile',
  listed: 'TRUE',
  named: ['e.handle = (SELECT lower($1))', 'e.name_words = (SELECT search_words($1))'],
  liked: `(SELECT f.total FROM tally f WHERE f.subject = e.id AND f.what = 'followers')`,
}
export const searchedPlaylists: Searched = {
  table: 'playlist',
  listed: 'NOT e.unlisted',
  named: ['e.title_words = (SELECT search_words($1))'],
  liked: `(SELECT s.total FROM tally s WHERE s.subject = e.id AND s.what = 'saves')`,
}

/** Matches that are ranked at most: a word that half of the catalogue shares must not cost more than others. Those with
 * the very name that was typed are among them, then the best liked, then any. */
const namedCandidates = 20
const likedCandidates = 40
const otherCandidates = 100

/** If the best liked alone have so many, the others are not looked at. */
const enoughLiked = 40

/** Rows of an index that are looked at, where it can tell only some of the words. */
const lookedAtMost = 5_000

/** The best matches, of which it is asked how much they are liked: all that were named or liked among them. */
const weighedCandidates = 60

/** Fewer hits than this, and the words are taken for mistyped. */
const enoughHits = 5

/** @param exact whether it is called just what was typed */
type Match = { readonly id: string; readonly exact: boolean }

/** Further conditions on the entity `e`, whose values are numbered from $6. */
export type Filter = { readonly conditions: readonly string[]; readonly values: readonly unknown[] }
const unfiltered: Filter = { conditions: [], values: [] }

/** Made once for each kind that is searched without a filter, as most are. */
const unfilteredQueries = new WeakMap<Searched, Prepared>()

/** Statement of the ids of the best matches: the whole name first, then by rank and by how they are liked, then new ones.
 * It takes what was typed ($1), a number of rows ($2), what is to be found ($3), what an index is asked ($4), and ids of
 * what is liked best and may have it ($5). */
export function matchingQuery(searched: Searched, filter: Filter = unfiltered): Prepared {
  if (filter.conditions.length > 0) return makeMatchingQuery(searched, filter)
  const known = unfilteredQueries.get(searched) ?? makeMatchingQuery(searched, filter)
  unfilteredQueries.set(searched, known)
  return known
}

function makeMatchingQuery(
  { table, listed, named, liked = '0' }: Searched,
  { conditions }: Filter,
): Prepared {
  // Queries are made once and not once a row; nor does the plan depend on how common their words are.
  const words = `(SELECT to_tsquery('simple', $3))`
  // Not by an index: rows that have been found are looked at once more.
  const matches = `(e.search @@ ${words}) IS TRUE`
  const shown = [listed, ...conditions].join(' AND ')
  const columns = `e.id, e.created_at_ms, (${named.join(' OR ')}) IS TRUE AS exact,
    ts_rank(e.search, ${words}) AS rank`
  return prepared(
    `search ${table}`,
    `WITH liked AS MATERIALIZED (
       SELECT ${columns} FROM unnest((SELECT $5::text[])) AS l (id) JOIN ${table} e ON e.id = l.id
       WHERE ${matches} AND ${shown}
     ), candidate AS (
       SELECT * FROM liked
       ${named.map((isNamed) => `UNION (SELECT ${columns} FROM ${table} e WHERE ${isNamed} AND ${shown} LIMIT ${namedCandidates})`).join(' ')}
       UNION (
         SELECT ${columns} FROM (
           SELECT * FROM ${table} e
           WHERE (SELECT count(*) FROM liked) < greatest($2::bigint, ${enoughLiked})
             AND e.search @@ (SELECT to_tsquery('simple', $4)) AND ${shown} LIMIT ${lookedAtMost}
         ) e WHERE ${matches} LIMIT ${otherCandidates}
       )
     ), best AS (
       SELECT * FROM candidate ORDER BY exact DESC, rank DESC, created_at_ms DESC, id DESC
       LIMIT greatest($2::bigint, ${weighedCandidates})
     )
     SELECT e.id, e.exact FROM best e
     ORDER BY exact DESC, rank * (1 + ln(1 + coalesce(${liked}, 0))) DESC, created_at_ms DESC, id DESC LIMIT $2`,
  )
}

/** Ids of the best matches of one kind; where there are few, also of what has words like the typed ones. */
export async function findIds(
  database: Database,
  searched: Searched,
  typed: Typed,
  limit: number,
  filter?: Filter,
): Promise<string[]> {
  const [ids = []] = await findEach(database, [searched], typed, limit, filter)
  return ids
}

/** Ids of the best matches of each of some kinds. Words are taken for mistyped where they find little of all kinds
 * together, and nothing that is called just so: then also what has words like the typed ones. */
export async function findEach(
  database: Database,
  kinds: readonly Searched[],
  { q, query, isUnheard, liked, meant }: Typed,
  limit: number,
  filter: Filter = unfiltered,
): Promise<string[][]> {
  if (query === undefined) return kinds.map(() => [])
  const read = ({ terms, words, indexed }: typeof query) =>
    Promise.all(
      kinds.map(async (searched) => {
        const ids = liked.get(searched.table)?.find(terms, Math.max(limit, likedCandidates)) ?? []
        const values = [q, limit, words, indexed, ids, ...filter.values]
        return (await database.query<Match>(matchingQuery(searched, filter), values)).rows
      }),
    )
  const found = isUnheard ? kinds.map(() => []) : await read(query)
  const idsOf = (matches: readonly Match[]) => matches.map(({ id }) => id)
  const matches = found.flat()
  const isMistyped = matches.length < Math.min(enoughHits, limit) && !matches.some(({ exact }) => exact)
  const other = isMistyped ? await meant() : undefined
  if (other === undefined) return found.map(idsOf)
  const others = await read(other)
  return found.map((own, place) => [...new Set(idsOf([...own, ...(others[place] ?? [])]))].slice(0, limit))
}
