import { prepared } from '@hexachord/platform/postgres'
import type { Database } from './entity.ts'
import { isLiked, keepLiked, type Liked } from './kept-liked.ts'
import type { Term, Terms } from './liked-words.ts'

/** Words of which alike ones are looked for. */
const correctedWords = 6

/** If no more words than these begin like the last one, they are named one by one: an index that is asked for a beginning
 * collects all that begins so, even where the other words leave next to nothing of it. */
const namedBeginnings = 30

/** So many words begin like a shorter one that an index is better not asked for it, where there are others. */
const askedLength = 3

/** Tags of which the shortest are found. */
const comparedTags = 500

/** The words of what is typed as search compares them, and those that begin like the last of them; of the tags that
 * begin with all of it so many as are wanted ($2), the shortest first; and which version there is of what is liked best. */
export const wordsStatement = prepared(
  'typed words',
  `WITH typed AS (SELECT text, string_to_array(text, ' ') AS words FROM search_words($1) AS text)
   SELECT words, ARRAY(
     SELECT s.word FROM search_word s
     WHERE s.word >= words[cardinality(words)] COLLATE "C"
       AND s.word < (words[cardinality(words)] || chr(1114111)) COLLATE "C"
     LIMIT ${namedBeginnings + 1}
   ) AS beginnings, ARRAY(
     SELECT near.words FROM (
       SELECT tag.words FROM search_tag tag
       WHERE $2::int > 0 AND tag.words >= typed.text COLLATE "C" AND tag.words < (typed.text || chr(1114111)) COLLATE "C"
       ORDER BY tag.words LIMIT ${comparedTags}
     ) near ORDER BY length(near.words), near.words LIMIT $2
   ) AS tags, coalesce((SELECT version FROM search_liked_version), 0) AS version FROM typed`,
)

/** Words somewhat alike of which the likest are found. */
const comparedWords = 2_000

/** For each of some words ($1) those that are written alike, the likest first. */
export const alikeStatement = prepared(
  'words alike',
  `SELECT ARRAY(
     SELECT near.word FROM (
       SELECT s.word FROM search_word s WHERE s.word % typed.word LIMIT ${comparedWords}
     ) near ORDER BY similarity(near.word, typed.word) DESC, near.word LIMIT 3
   ) AS alike FROM unnest((SELECT $1::text[])) WITH ORDINALITY AS typed (word, place) ORDER BY typed.place`,
)

/** What is to be found, and two text search queries. */
export type WordQuery = {
  readonly terms: Terms
  /** The same for the database. */
  readonly words: string
  /** What an index is asked: all of that, and where it is quicker more. */
  readonly indexed: string
}

/** What somebody has typed: all words, the last of which may be unfinished; with what they may have meant. */
export type Typed = {
  readonly q: string
  /** Undefined where there is no word in it. */
  readonly query: WordQuery | undefined
  /** Whether no text in the catalogue has them, as is known where none has the last. */
  readonly isUnheard: boolean
  readonly liked: Liked
  /** Those that begin with what was typed, the shortest first among the first few hundred. */
  readonly tags: string[]
  /** Undefined where no word is like another. Looked up once, when it is first asked for. */
  meant(): Promise<WordQuery | undefined>
}

type TypedRow = {
  readonly words: string[]
  readonly beginnings: string[]
  readonly tags: string[]
  readonly version: number
}

/** @param tagsAtMost how many tags are wanted @default 0 */
export type ReadTyped = (q: string, tagsAtMost?: number) => Promise<Typed>

export function createReadTyped(database: Database): ReadTyped {
  const likedOf = keepLiked(database)
  return async (q, tagsAtMost = 0) => {
    const { rows } = await database.query<TypedRow>(wordsStatement, [q, tagsAtMost])
    const { words = [], beginnings = [], tags = [], version = 0 } = rows[0] ?? {}
    const liked = await likedOf(version)
    let meant: Promise<WordQuery | undefined> | undefined
    return {
      q,
      query: typedQuery(words, beginnings),
      isUnheard: isUnheard(words, beginnings),
      liked,
      tags,
      meant() {
        meant ??= meaningOf(database, words, beginnings, liked)
        return meant
      },
    }
  }
}

/** Every word of letters alone stands among those that are known, unless it is a short one. */
export function isUnheard(words: readonly string[], beginnings: readonly string[]): boolean {
  return beginnings.length === 0 && /^\p{L}{3,}$/u.test(words.at(-1) ?? '')
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
  const likeLast = (alike[words.length - 1] ?? []).map(whole)
  const others = words.slice(0, -1).map((word, place) => [word, ...(alike[place] ?? [])].map(whole))
  const terms = [...others, [beginning(last), ...likeLast]]
  const asked = (indexed: Terms) => ({ terms, words: textOf(terms), indexed: textOf(indexed) })
  if (others.length === 0) return asked(terms)
  if ([...last].length < askedLength) return asked(others)
  // Numbers are not among the words that are known.
  if (/^[0-9]+$/.test(last)) return asked(terms)
  if (beginnings.length > namedBeginnings) return asked(others)
  return asked([...others, [...[last, ...beginnings].map(whole), ...likeLast]])
}

/** A word that stands in what is liked best is not mistyped. */
async function meaningOf(
  database: Database,
  words: readonly string[],
  beginnings: readonly string[],
  liked: Liked,
): Promise<WordQuery | undefined> {
  const mistyped = words
    .slice(0, correctedWords)
    .filter((word, place) => !isLiked(liked, [[place === words.length - 1 ? beginning(word) : whole(word)]]))
  if (mistyped.length === 0) return undefined
  const { rows } = await database.query<{ alike: string[] }>(alikeStatement, [mistyped])
  if (rows.every(({ alike }) => alike.length === 0)) return undefined
  const alikeOf = new Map(mistyped.map((word, place) => [word, rows[place]?.alike ?? []]))
  return typedQuery(
    words,
    beginnings,
    words.map((word) => alikeOf.get(word) ?? []),
  )
}

const whole = (word: string): Term => ({ word, begins: false })
const beginning = (word: string): Term => ({ word, begins: true })

function textOf(terms: Terms): string {
  return terms.map((alternatives) => `(${[...new Set(alternatives.map(termText))].join(' | ')})`).join(' & ')
}

// Words are letters and digits alone, as the database has made them.
const termText = ({ word, begins }: Term) => (begins ? `'${word}':*` : `'${word}'`)
