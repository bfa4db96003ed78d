import { describe, expect, test } from '@jest/globals'
import { alternate, median, ratiosOf } from './alternate.ts'
import { describeLimit, holds } from './bench.ts'

const { signal } = new AbortController()

describe('measuring two things in turn', () => {
  test('takes them one after the other, and leaves the first pair out', async () => {
    const order: string[] = []
    const take = (name: string) => async () => order.push(name)
    const pairs = await alternate({ rounds: 2, signal, ours: take('a'), theirs: take('b') })
    expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b'])
    expect(pairs).toEqual([
      { ours: 3, theirs: 4 },
      { ours: 5, theirs: 6 },
    ])
  })

  test('counts the first pair where that is asked for', async () => {
    let calls = 0
    const take = async () => ++calls
    const seen: number[] = []
    await alternate({
      ...{ rounds: 1, signal, countFirst: true, ours: take, theirs: take },
      onPair: (_, round) => seen.push(round),
    })
    expect(calls).toBe(2)
    expect(seen).toEqual([1])
  })

  test('ends when it is aborted', async () => {
    const abort = new AbortController()
    const ours = async () => abort.abort(new Error('enough'))
    const theirs = () => Promise.reject(new Error('not reached'))
    await expect(alternate({ rounds: 1, signal: abort.signal, ours, theirs })).rejects.toThrow('enough')
  })

  test('gives the median of the ratios of pairs, not the ratio of medians', () => {
    const pairs = [
      { ours: 1, theirs: 1 },
      { ours: 30, theirs: 10 },
      { ours: 2, theirs: 1 },
    ]
    expect(ratiosOf(pairs, (value) => value)).toEqual({ median: 2, least: 1, most: 3 })
  })
})

test.each([
  [[3], 3],
  [[3, 1], 2],
  [[9, 1, 2], 2],
  [[4, 1, 2, 3], 2.5],
])('the median of %j is %d', (values, middle) => expect(median(values)).toBe(middle))

test('a limit is held at its edge', () => {
  expect([holds({ atMost: 1.1 }, 1.1), holds({ atMost: 1.1 }, 1.11)]).toEqual([true, false])
  expect([holds({ atLeast: 0.8 }, 0.8), holds({ atLeast: 0.8 }, 0.79)]).toEqual([true, false])
  expect(describeLimit({ atLeast: 0.8 })).toBe('at least 0.8')
})
