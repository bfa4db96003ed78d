import { describe, expect, test } from '@jest/globals'
import type { Database } from './entity.ts'
import { isLiked, keepLiked } from './kept-liked.ts'

const asked = (word: string) => [[{ word, begins: false }]]

/** A database that knows one track of some words, unless there are none; and how often it was asked. */
function databaseOf(given: { words: string }) {
  const counted = { asked: 0 }
  async function query() {
    counted.asked++
    const { words } = given
    if (words === '') throw new Error('the connection is lost')
    return { rows: [{ kind: 'track', id: 'one', words }] }
  }
  return Object.assign(counted, { query: query as unknown as Database['query'] })
}

describe('what is liked best', () => {
  test('is read once, and anew in another version', async () => {
    const given = { words: 'ut queant' }
    const database = databaseOf(given)
    const likedOf = keepLiked(database)
    const both = await Promise.all([likedOf(1), likedOf(1)])
    expect(both.map((liked) => isLiked(liked, asked('queant')))).toEqual([true, true])
    given.words = 'ut resonare'
    expect(isLiked(await likedOf(2), asked('queant'))).toBe(false)
    // Who has looked at the catalogue earlier is no reason to read once more.
    expect(isLiked(await likedOf(1), asked('resonare'))).toBe(true)
    expect(database.asked).toBe(2)
  })

  test('is read by the next one who asks where that has failed', async () => {
    const given = { words: '' }
    const likedOf = keepLiked(databaseOf(given))
    await expect(likedOf(1)).rejects.toThrow('lost')
    given.words = 'ut'
    expect(isLiked(await likedOf(1), asked('ut'))).toBe(true)
  })
})
