import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Entries, type Entry, newestOf, targetOf } from './newest-entries.ts'

const end: Entry = { atMs: Number.MAX_SAFE_INTEGER, id: '' }
const published = (atMs: number, id = `0xa-${atMs}`): Entry => ({ atMs, id })
const whole = (...newest: Entry[]): Entries => ({ newest, isCut: false })
const cut = (...newest: Entry[]): Entries => ({ newest, isCut: true })
const newest = (authors: Entries[], count: number, before = end, untilMs = 100) =>
  newestOf(authors, { before, untilMs, count })

describe('the newest entries of some authors', () => {
  test('are those that sorting all of them gives', () => {
    const entry = fc.record({
      atMs: fc.integer({ min: 0, max: 60 }),
      id: fc.constantFrom('0xa-1', '0xa-2', '0xb/0xa-1', '0xb/0xa-3'),
    })
    const newestFirst = (one: Entry, other: Entry) =>
      other.atMs - one.atMs || (one.id > other.id ? -1 : one.id < other.id ? 1 : 0)
    const authors = fc.array(
      fc.uniqueArray(entry, { selector: ({ atMs, id }) => `${atMs} ${id}`, maxLength: 12 }),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(
        authors,
        entry,
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 5 }),
        (lists, before, count, kept) => {
          const sorted = lists.map((list) => list.toSorted(newestFirst))
          const shown = sorted
            .flat()
            .filter(({ atMs, id }) => atMs <= 30 || id.includes('/'))
            .filter((one) => newestFirst(before, one) < 0)
            .toSorted(newestFirst)
            .slice(0, count)
          const all = sorted.map((list) => whole(...list))
          expect(newest(all, count, before, 30)).toEqual(shown)
          const some = sorted.map((list) => ({ newest: list.slice(0, kept), isCut: list.length >= kept }))
          expect([undefined, shown]).toContainEqual(newest(some, count, before, 30))
        },
      ),
    )
  })

  test('are not known where an author of whom only some are kept may have more of them', () => {
    expect(newest([cut(published(9), published(8)), whole(published(7))], 2)).toEqual([
      published(9),
      published(8),
    ])
    expect(newest([cut(published(9), published(8)), whole(published(7))], 3)).toBeUndefined()
    expect(newest([cut(published(9)), whole(published(9.5), published(8))], 3)).toBeUndefined()
    expect(newest([cut()], 1)).toBeUndefined()
  })

  test('are shown from their time on, reposts at once', () => {
    const repost = { atMs: 300, id: '0xb/0xa-1' }
    expect(newest([whole(repost, published(200), published(100))], 5)).toEqual([repost, published(100)])
  })
})

test('an entry names what was published, or what its author has reposted', () => {
  expect(targetOf(published(1, '0xa-7'))).toEqual({ target: '0xa-7', isRepost: false })
  expect(targetOf(published(1, '0xb/0xa-7'))).toEqual({ target: '0xa-7', isRepost: true })
})
