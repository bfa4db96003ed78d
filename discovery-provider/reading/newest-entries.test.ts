import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Entry, type Known, newestOf, nextReleaseMs, targetOf } from './newest-entries.ts'

const end: Entry = { atMs: Number.MAX_SAFE_INTEGER, id: '' }
const known = (author: string, entries: readonly Entry[], isCut = false): Known => ({
  author,
  lines: entries.map(({ atMs, id }) => `${atMs}${id.slice(author.length)}\n`).join('') + (isCut ? '+' : ''),
})
const published = (author: string, atMs: number): Entry => ({ atMs, id: `${author}-${atMs}` })
const newest = (authors: readonly Known[], count: number, before = end, untilMs = 100) =>
  newestOf(authors, { before, untilMs, count })

describe('the newest entries of some authors', () => {
  test('are those that sorting all of them gives', () => {
    const numbers = fc.uniqueArray(
      fc.tuple(fc.integer({ min: 0, max: 60 }), fc.constantFrom('-1', '-2', '/x-1')),
      {
        selector: String,
        maxLength: 12,
      },
    )
    const newestFirst = (one: Entry, other: Entry) =>
      other.atMs - one.atMs || (one.id > other.id ? -1 : one.id < other.id ? 1 : 0)
    const asked = fc.record({
      lists: fc.array(numbers, { maxLength: 6 }),
      beforeMs: fc.integer({ min: 0, max: 70 }),
      count: fc.integer({ min: 1, max: 10 }),
      keep: fc.integer({ min: 1, max: 5 }),
    })
    fc.assert(
      fc.property(asked, ({ lists, beforeMs, count, keep }) => {
        const before = { atMs: beforeMs, id: 'b-2' }
        const sorted = lists.map((list, place) => {
          const author = 'abcdef'.charAt(place)
          const entries = list.map(([atMs, rest]): Entry => ({ atMs, id: author + rest }))
          return { author, entries: entries.toSorted(newestFirst) }
        })
        const shown = sorted
          .flatMap(({ entries }) => entries)
          .filter(({ atMs, id }) => atMs <= 30 || id.includes('/'))
          .filter((one) => newestFirst(before, one) < 0)
          .toSorted(newestFirst)
          .slice(0, count)
        const whole = sorted.map(({ author, entries }) => known(author, entries))
        expect(newest(whole, count, before, 30)).toEqual(shown)
        const some = sorted.map(({ author, entries }) =>
          known(author, entries.slice(0, keep), entries.length >= keep),
        )
        expect([undefined, shown]).toContainEqual(newest(some, count, before, 30))
      }),
    )
  })

  test('are not known where an author of whom only some are kept may have more of them', () => {
    const [nine, eight, seven] = [published('a', 9), published('a', 8), published('b', 7)]
    const both = [known('a', [nine, eight], true), known('b', [seven])]
    expect(newest(both, 2)).toEqual([nine, eight])
    expect(newest(both, 3)).toBeUndefined()
    expect(newest([known('a', [eight], true), known('b', [published('b', 9), seven])], 2)).toEqual([
      published('b', 9),
      eight,
    ])
  })

  test('are shown from their time on, reposts at once', () => {
    const repost = { atMs: 300, id: 'a/b-1' }
    const entries = [repost, published('a', 200), published('a', 100)]
    expect(newest([known('a', entries)], 5)).toEqual([repost, published('a', 100)])
  })
})

test('an entry names what was published, or what its author has reposted', () => {
  expect(targetOf(published('0xa', 7))).toEqual({ target: '0xa-7', isRepost: false })
  expect(targetOf({ id: '0xb/0xa-7' })).toEqual({ target: '0xa-7', isRepost: true })
})

test('the next release is the first of all that are scheduled', () => {
  const reposted = { atMs: 140, id: 'a/b-1' }
  const authors = [
    known('a', [published('a', 300), published('a', 150), reposted, published('a', 90)]),
    known('b', [published('b', 160), published('b', 100)], true),
  ]
  expect(nextReleaseMs(authors, 100)).toBe(150)
  expect(nextReleaseMs(authors, 150)).toBe(160)
  expect(nextReleaseMs(authors, 300)).toBe(Number.POSITIVE_INFINITY)
  // Of the second one there may be others, sooner than those that are known.
  expect(nextReleaseMs(authors, 99)).toBe(0)
})
