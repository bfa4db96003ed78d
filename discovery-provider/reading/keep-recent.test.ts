import { expect, test } from '@jest/globals'
import { keepRecent } from './keep-recent.ts'

test('what is asked for stays, what is not goes, and never are there more than may be', () => {
  const recent = keepRecent<number>(10)
  for (let n = 0; n < 1_000; n++) {
    recent.set(`${n}`, n)
    expect(recent.get('0')).toBe(0)
  }
  const kept = Array.from({ length: 1_000 }, (_, n) => n).filter((n) => recent.get(`${n}`) !== undefined)
  expect(kept.length).toBeLessThanOrEqual(10)
  expect(kept).toEqual(expect.arrayContaining([0, 999]))
})

test('the newest value counts, and what was deleted is away', () => {
  const recent = keepRecent<string>(2)
  recent.set('a', 'old')
  recent.set('b', 'other')
  recent.set('a', 'new')
  expect(recent.get('a')).toBe('new')
  recent.delete('a')
  expect(recent.get('a')).toBeUndefined()
  recent.clear()
  expect(recent.get('b')).toBeUndefined()
})
