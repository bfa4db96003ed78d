import { LRUCache } from 'lru-cache'
import { askTogether } from './ask-together.ts'

/** What was read of an author, and the revision in which it was. */
export type ReadOfAuthor<Value> = {
  readonly author: string
  readonly revision: string | null
  readonly value: Value
}

/** What is known of authors until they act again: many readers ask for the same. */
export type KeptOfAuthors<Value> = {
  /** At once where it is kept; undefined where nothing could be read. It is no older than the question. */
  of(author: string): Value | Promise<ReadOfAuthor<Value> | undefined>
  forget(authors: readonly string[] | 'all'): void
}

/**
 * @param read of authors by one statement, of `readTogether` at most
 * @param sizeOf bytes of one value
 * @param current the revision that was seen last; what was read in another one is not kept
 */
export function keepOfAuthors<Value extends {}>({
  read,
  readTogether,
  sizeOf,
  atMostBytes,
  current,
}: {
  read: (authors: readonly string[]) => Promise<readonly ReadOfAuthor<Value>[]>
  readTogether: number
  sizeOf: (value: Value) => number
  atMostBytes: number
  current: () => string | null
}): KeptOfAuthors<Value> {
  const kept = new LRUCache<string, Value>({ maxSize: atMostBytes, sizeCalculation: sizeOf })
  const ask = askTogether<string, ReadOfAuthor<Value>>({
    atMost: readTogether,
    async read(authors) {
      const found = await read(authors)
      const seen = current()
      for (const { author, revision, value } of found) {
        if (seen !== null && revision === seen) kept.set(author, value)
      }
      return new Map(found.map((one) => [one.author, one]))
    },
  })
  return {
    of: (author) => kept.get(author) ?? ask(author),
    forget(authors) {
      if (authors === 'all') kept.clear()
      else for (const author of authors) kept.delete(author)
    },
  }
}
