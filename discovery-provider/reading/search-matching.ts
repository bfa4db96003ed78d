import { type Prepared, prepared } from '@hexachord/platform/postgres'
import type { Database } from './entity.ts'
import type { Typed, WordQuery } from './typed-text.ts'

/** What is searched: a table whose `search` column is indexed where `listed` holds. Each of `named` says whether an
 * entity's name is just what was typed, `liked` how many care for it: it puts matches alike in order. */
export type Searched = {
  readonly table: string
  readonly listed: string
  readonly named: readonly string[]
  readonly liked?: string
}

/** The database's clock (ms). */
export const databaseNowMs = '(extract(epoch FROM now()) * 1000)::bigint'

export const searchedTracks: Searched = {
  table: 'track',
  listed: `NOT e.unlisted AND e.listed_at_ms <= (SELECT released_until(${databaseNowMs}))`,
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

/** What is searched, and what is read of each match by the statement that finds it: to send one more, and to wake who
 * answers it, takes longer than to read twenty rows. */
export type Sought = {
  readonly searched: Searched
  /** Begins a query of columns of what `joined` adds to a match, with its `id`. */
  readonly select: string
  /** Follows `FROM found`. */
  readonly joined: string
}

/** Beside what was sought of it.
 * @param exact whether it is called just what was typed */
type Match = { readonly id: string; readonly exact: boolean }

/** Further conditions on the entity `e`, whose values are numbered from $6. */
export type Filter = { readonly conditions: readonly string[]; readonly values: readonly unknown[] }
const unfiltered: Filter = { conditions: [], values: [] }

/** Made once for each kind that is searched without a filter, as most are. */
const unfilteredQueries = new WeakMap<Sought, Prepared>()

/** Statement of the best matches: the whole name first, then by rank and by how they are liked, then new ones.
 * It takes what was typed ($1), a number of rows ($2), what is to be found ($3), what an index is asked ($4), and ids of
 * what is liked best and may have it ($5). */
export function matchingQuery(sought: Sought, filter: Filter = unfiltered): Prepared {
  if (filter.conditions.length > 0) return makeMatchingQuery(sought, filter)
  const known = unfilteredQueries.get(sought) ?? makeMatchingQuery(sought, filter)
  unfilteredQueries.set(sought, known)
  return known
}

function makeMatchingQuery(
  { searched: { table, listed, named, liked = '0' }, select, joined }: Sought,
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
     ), found AS MATERIALIZED (
       SELECT e.id, e.exact, row_number() OVER (
         ORDER BY exact DESC, rank * (1 + ln(1 + coalesce(${liked}, 0))) DESC, created_at_ms DESC, id DESC
       ) AS place FROM best e ORDER BY place LIMIT $2
     )
     ${select}, found.exact FROM found ${joined} ORDER BY found.place`,
  )
}

/** Made once for each kind. */
const soughtIds = new WeakMap<Searched, Sought>()

/** The ids alone of what is searched. */
export function idsOf(searched: Searched): Sought {
  const known = soughtIds.get(searched) ?? { searched, select: 'SELECT found.id', joined: '' }
  soughtIds.set(searched, known)
  return known
}

/** Ids of the best matches of one kind; where there are few, also of what has words like the typed ones. */
export async function findIds(
  database: Database,
  searched: Searched,
  typed: Typed,
  limit: number,
  filter?: Filter,
): Promise<string[]> {
  const [matches] = await findEach<[Match]>(database, [idsOf(searched)], typed, limit, filter)
  return matches.map(({ id }) => id)
}

/** The best matches of each of some kinds. Words are taken for mistyped where they find little of all kinds
 * together, and nothing that is called just so: then also what has words like the typed ones.
 * @returns rows of each kind, whose types are the caller's promise about what it seeks */
export async function findEach<Rows extends readonly { readonly id: string }[]>(
  database: Database,
  kinds: readonly Sought[],
  { q, query, isUnheard, liked, meant }: Typed,
  limit: number,
  filter: Filter = unfiltered,
): Promise<{ [Place in keyof Rows]: Rows[Place][] }> {
  type Found = { [Place in keyof Rows]: Rows[Place][] }
  const read = ({ terms, words, indexed }: WordQuery) =>
    Promise.all(
      kinds.map(async (sought) => {
        const ids = liked.get(sought.searched.table)?.find(terms, Math.max(limit, likedCandidates)) ?? []
        const values = [q, limit, words, indexed, ids, ...filter.values]
        return (await database.query<Match>(matchingQuery(sought, filter), values)).rows
      }),
    )
  const found = query === undefined || isUnheard ? kinds.map((): Match[] => []) : await read(query)
  const matches = found.flat()
  const isMistyped = matches.length < Math.min(enoughHits, limit) && !matches.some(({ exact }) => exact)
  const other = query !== undefined && isMistyped ? await meant() : undefined
  if (other === undefined) return found as Found
  const others = await read(other)
  return found.map((own, place) => {
    const known = new Set(own.map(({ id }) => id))
    return [...own, ...(others[place] ?? []).filter(({ id }) => !known.has(id))].slice(0, limit)
  }) as Found
}
