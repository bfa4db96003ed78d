import type { Json } from '@hexachord/protocol/canonical'
import type { KeyChange } from '@hexachord/protocol/catalogue'
import { LRUCache } from 'lru-cache'
import { createKeyFilter } from './key-filter.ts'

/** What the one writer of a state still knows of it, so that most of what the rules ask for need not be read. */
export type StateMemory = {
  /** Null when the state has no such key; undefined when only the database knows. */
  find(key: string): Json | undefined
  /** A value was read. @param length of its JSON */
  learn(key: string, value: Json, length: number): void
  /** The state will have changed so by the time when somebody asks next. */
  change(changes: ReadonlyMap<string, KeyChange>): void
  /** The state is not, or no longer, what was told of it. */
  forget(): void
}

/** Values at most. Together with the bound on each it is some 16 MiB at the very most, and 4 in practice. */
const maximumValues = 8_192
/** Of the JSON of a value that is kept, in characters: long playlists are not. */
const longestValue = 2_048

/** What is named again and again: tracks, comments, users. Hardly any mark is ever looked at twice. */
const keptSpaces = ['subject/', 'identity/']

/** @param options.isEmpty whether the state is: then every key that it will ever have passes through here, and for most
 * of those that it does not have nobody is asked. That is so from an empty database on until the process ends; an index
 * that was opened with a state in it asks of what it has not seen. */
export function createStateMemory({ isEmpty }: { isEmpty: boolean }): StateMemory {
  const everything = isEmpty ? createKeyFilter() : undefined
  const values = new LRUCache<string, Exclude<Json, null>>({ max: maximumValues })

  const isKept = (key: string, length: number) =>
    length <= longestValue && keptSpaces.some((space) => key.startsWith(space))

  return {
    find(key) {
      const value = values.get(key)
      if (value !== undefined) return value
      return everything === undefined || everything.mayHave(key) ? undefined : null
    },
    learn(key, value, length) {
      if (value !== null && isKept(key, length)) values.set(key, value)
    },
    change(changes) {
      for (const [key, { before, after, afterText }] of changes) {
        // A key that was there was added when it came.
        if (before === null) everything?.add(key)
        if (after !== null && isKept(key, afterText.length)) values.set(key, after)
        else values.delete(key)
      }
    },
    forget() {
      values.clear()
    },
  }
}
