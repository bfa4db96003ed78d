import type { Database } from './entity.ts'
import { type LikedWords, likedWords, type Terms } from './liked-words.ts'

/** What is liked best of each kind, by the table of that kind. */
export type Liked = ReadonlyMap<string, LikedWords>

/** Whether any of it has what is looked for. */
export function isLiked(liked: Liked, terms: Terms): boolean {
  return [...liked.values()].some((words) => words.find(terms, 1).length > 0)
}

type LikedRow = { readonly kind: string; readonly id: string; readonly words: string }

const likedStatement = `SELECT kind, id, array_to_string(tsvector_to_array(search), ' ') AS words
  FROM search_liked ORDER BY kind, place, id`

/** Holds in memory what search looks through first, some 10 MB of it, and reads it anew when there is another version.
 * @returns what is liked best in a version, or in a later one */
export function keepLiked(database: Database): (version: number) => Promise<Liked> {
  let kept: { readonly version: number; readonly liked: Promise<Liked> } | undefined
  return async (version) => {
    if (kept !== undefined && kept.version >= version) return kept.liked
    const fresh = { version, liked: readLiked(database) }
    kept = fresh
    try {
      return await fresh.liked
    } catch (error) {
      if (kept === fresh) kept = undefined
      throw error
    }
  }
}

async function readLiked(database: Database): Promise<Liked> {
  const { rows } = await database.query<LikedRow>(likedStatement)
  const byKind = Map.groupBy(rows, ({ kind }) => kind)
  return new Map([...byKind].map(([kind, entities]) => [kind, likedWords(entities)]))
}
