import { describe, expect, test } from '@jest/globals'
import { createEndpointRest } from './endpoint-rest.ts'

describe('the rest of a node that failed', () => {
  test('begins with nothing: a node is looked at before it is asked', () => {
    const rest = createEndpointRest()
    expect(rest.state(0)).toBe('due')
    rest.recovered(0)
    expect(rest.state(0)).toBe('well')
  })

  test('is a second, then twice as long each time, and a minute at most', () => {
    const rest = createEndpointRest()
    let nowMs = 0
    const rests = Array.from({ length: 8 }, () => {
      const restMs = rest.failed(nowMs)
      expect(rest.state(nowMs + restMs - 1)).toBe('resting')
      nowMs += restMs
      expect(rest.state(nowMs)).toBe('due')
      return restMs
    })
    expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })

  test('grows on when a node fails soon after it came back, and starts anew when it was well for a minute', () => {
    const rest = createEndpointRest()
    rest.recovered(0)
    expect(rest.failed(100)).toBe(1_000)
    rest.recovered(1_200)
    expect(rest.failed(1_300)).toBe(2_000)
    rest.recovered(3_400)
    expect(rest.failed(63_400)).toBe(1_000)
  })

  test('is not made longer by requests that were under way when it began', () => {
    const rest = createEndpointRest()
    rest.recovered(0)
    rest.failed(100)
    for (const nowMs of [110, 500, 1_099]) rest.failed(nowMs)
    expect(rest.state(1_100)).toBe('due')
  })
})
