import { createHash } from 'node:crypto'

/** A statement that each connection has the server read and plan once. Worth it for what is asked often: to plan a look
 * into some indexes takes the server longer than to do it. Its plan knows no values, so that it is not for statements
 * whose best way depends on them, such as how common a word is. A list is best given as `unnest((SELECT $1::text[]))`: where
 * the server sees how long it is, it takes a plan for just that length to be better than one for any, and plans anew each
 * time. */
export type Prepared = { readonly name: string; readonly text: string }

/** @param name what it reads; it is told apart from others by its text */
export function prepared(name: string, text: string): Prepared {
  // Postgres cuts names at 63 bytes.
  return { name: `${name}-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`, text }
}
