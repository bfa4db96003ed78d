import { describe, expect, test } from '@jest/globals'
import { createBlockPace } from './block-pace.ts'

function paceOf(secondsPerBlock: number, blocks = 40) {
  const pace = createBlockPace()
  for (let number = 1; number <= blocks; number += 1) {
    pace.add([{ number, timestamp: Math.floor(number * secondsPerBlock) }])
  }
  return pace.pollMs
}

describe('the time between looks at the head', () => {
  test.each([
    [12, 1_000],
    [4, 1_000],
    [3, 750],
    [2, 500],
    [1, 250],
    [0.25, 200],
  ])('of a chain with a block every %d s is %d ms', (seconds, pollMs) => {
    expect(paceOf(seconds)).toBe(pollMs)
  })

  test('is a second while nothing is known', () => {
    expect(createBlockPace().pollMs).toBe(1_000)
    expect(paceOf(12, 1)).toBe(1_000)
  })

  test('follows a chain that has become faster', () => {
    const pace = createBlockPace()
    for (let number = 1; number <= 20; number += 1) pace.add([{ number, timestamp: number * 12 }])
    for (let number = 21; number <= 41; number += 1) pace.add([{ number, timestamp: 240 + number }])
    expect(pace.pollMs).toBe(250)
  })

  test('forgets blocks that were replaced', () => {
    const pace = createBlockPace()
    pace.add([1, 2, 3, 4].map((number) => ({ number, timestamp: number * 2 })))
    pace.add([3, 4, 5].map((number) => ({ number, timestamp: number * 2 })))
    expect(pace.pollMs).toBe(500)
  })
})
