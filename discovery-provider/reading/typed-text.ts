import { prepared } from '@hexachord/platform/postgres'
import type { Database } from './entity.ts'

/** Words of which alike ones are looked for. */
const correctedWords = 6

/** If no more words than these begin like the last one, they are named one by one: an index that is asked for a beginning
 * collects all that begins so, even where the other words leave next to nothing of it. */
const namedBeginnings = 30

/** So many words begin like a shorter one that an index is better not asked for it, where there are others. */
const askedLength = 3

/** The words of what is typed as search compares them, and those that begin like the last of them. */
export const wordsStatement = prepared(
  'typed words',
  `WITH typed AS (SELECT string_to_array(search_words($1), ' ') AS words)
   SELECT words, ARRAY(
     SELECT s.word FROM search_word s
     WHERE s.word >= words[cardinality(words)] COLLATE "C"
       AND s.word < (words[cardinality(words)] || chr(1114111)) COLLATE "C"
     LIMIT ${namedBeginnings + 1}
   ) AS beginnings FROM typed`,
)

/** Words somewhat alike of which the likest are found. */
const comparedWords = 2_000

const isLikedWith = (kind: string) =>
  `EXISTS (SELECT FROM search_liked l WHERE l.kind = '${kind}' AND l.search @@ to_tsquery('simple', typed.query))`

/** For each of some words ($1) those that are written alike, the likest first. A word that stands in what is liked best,
 * by a text search query of its own ($2), is not mistyped. */
export const alikeStatement = prepared(
  'words alike',
  `SELECT CASE WHEN ${['track', 'profile', 'playlist'].map(isLikedWith).join(' OR ')} THEN '{}' ELSE ARRAY(
     SELECT near.word FROM (
       SELECT s.word FROM search_word s WHERE s.word % typed.word LIMIT ${comparedWords}
     ) near ORDER BY similarity(near.word, typed.word) DESC, near.word LIMIT 3
   ) END AS alike
   FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) WITH ORDINALITY AS typed (word, query, place) ORDER BY typed.place`,
)

/** Two text search queries. */
export type WordQuery = {
  /** What is to be found. */
  readonly words: string
  /** What an index is asked: all of that, and where it is quicker more. */
  readonly indexed: string
}

/** What somebody has typed: all words, the last of which may be unfinished; with what they may have meant. */
export type Typed = {
  readonly q: string
  /** Undefined where there is no word in it. */
  readonly query: WordQuery | undefined
  /** Undefined where no word is like another. Looked up once, when it is first asked for. */
  meant(): Promise<WordQuery | undefined>
}

export async function readTyped(database: Database, q: string): Promise<Typed> {
  const { rows } = await database.query<{ words: string[]; beginnings: string[] }>(wordsStatement, [q])
  const { words = [], beginnings = [] } = rows[0] ?? {}
  let meant: Promise<WordQuery | undefined> | undefined
  return {
    q,
    query: typedQuery(words, beginnings),
    meant() {
      meant ??= meaningOf(database, words, beginnings)
      return meant
    },
  }
}

/** @param beginnings words that begin like the last one, some of them where there are more than can be named
 * @param alike for each word others that may be meant as well */
export function typedQuery(
  words: readonly string[],
  beginnings: readonly string[],
  alike: readonly (readonly string[])[] = [],
): WordQuery | undefined {
  const last = words.at(-1)
  if (last === undefined) return undefined
  const others = words.slice(0, -1).map((word, place) => anyOf([word, ...(alike[place] ?? [])].map(quoted)))
  const lastOnes = (alike[words.length - 1] ?? []).map(quoted)
  const query = allOf([...others, anyOf([beginningWith(last), ...lastOnes])])
  if (others.length === 0) return { words: query, indexed: query }
  if ([...last].length < askedLength) return { words: query, indexed: allOf(others) }
  // Numbers are not among the words that are known.
  if (/^[0-9]+$/.test(last)) return { words: query, indexed: query }
  if (beginnings.length > namedBeginnings) return { words: query, indexed: allOf(others) }
  const named = anyOf([...[last, ...beginnings].map(quoted), ...lastOnes])
  return { words: query, indexed: allOf([...others, named]) }
}

async function meaningOf(
  database: Database,
  words: readonly string[],
  beginnings: readonly string[],
): Promise<WordQuery | undefined> {
  const queries = words.map((word, place) =>
    place === words.length - 1 ? beginningWith(word) : quoted(word),
  )
  const asked = [words, queries].map((list) => list.slice(0, correctedWords))
  const { rows } = await database.query<{ alike: string[] }>(alikeStatement, asked)
  if (rows.every(({ alike }) => alike.length === 0)) return undefined
  return typedQuery(
    words,
    beginnings,
    rows.map(({ alike }) => alike),
  )
}

// Words are letters and digits alone, as the database has made them.
const quoted = (word: string) => `'${word}'`
const beginningWith = (word: string) => `'${word}':*`
const anyOf = (words: readonly string[]) => `(${[...new Set(words)].join(' | ')})`
const allOf = (words: readonly string[]) => words.join(' & ')
