import type { Address } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { retryDelayMs } from './retry-delay.ts'
import { copyDelayMs, standingOf, urgencies, urgencyOf } from './standing.ts'

const self: Address = `0x${'01'.repeat(20)}`
const active = { self, active: true }

function ranked(...names: number[]): Operator[] {
  return names.map((name) => ({
    operator: `0x${String(name).padStart(2, '0').repeat(20)}`,
    controller: `0x${String(name).padStart(2, '0').repeat(20)}`,
    endpoint: `https://${name}.example`,
    peerId: '0x',
    hotKey: `0x${'00'.repeat(20)}`,
    capacityBytes: 1n,
    exiting: false,
    stakeWei: 1n,
    active: true,
  }))
}

const kindOf = (...arguments_: Parameters<typeof standingOf>) => standingOf(...arguments_).kind

describe('a track is to this node', () => {
  test('a duty when it is among the first as many operators as there shall be copies', () => {
    const track = { operators: [] }
    expect(kindOf(track, { operators: ranked(2, 3, 1, 4), copies: 3 }, active)).toBe('duty')
    expect(kindOf(track, { operators: ranked(2, 3, 4, 1), copies: 3 }, active)).toBe('reserve')
    expect(kindOf(track, { operators: ranked(2, 1), copies: 1 }, active)).toBe('reserve')
  })

  test('promised when its receipt was published, whatever its rank', () => {
    expect(kindOf({ operators: [self] }, { operators: ranked(2, 3, 4, 1), copies: 3 }, active)).toBe(
      'promised',
    )
    expect(kindOf({ operators: [self] }, { operators: [], copies: 0 }, active)).toBe('promised')
  })

  test('no concern when it comes after the sixth rank, or has left', () => {
    const far = { operators: ranked(2, 3, 4, 5, 6, 7, 1), copies: 3 }
    expect(kindOf({ operators: [] }, far, active)).toBe('none')
    const left = { operators: ranked(2, 3, 4), copies: 3 }
    expect(kindOf({ operators: [self] }, left, { self, active: false })).toBe('none')
  })
})

describe('a copy is wanted', () => {
  test('at once below two, soon below three, and else only to take turns', () => {
    expect([0, 1, 2, 3, 4].map((live) => urgencyOf(live, 3))).toEqual([
      ...[urgencies.urgent, urgencies.urgent],
      urgencies.soon,
      ...[urgencies.spare, urgencies.spare],
    ])
    expect([0, 1, 2].map((live) => urgencyOf(live, 2))).toEqual([
      ...[urgencies.urgent, urgencies.urgent],
      urgencies.spare,
    ])
    expect([0, 1].map((live) => urgencyOf(live, 1))).toEqual([urgencies.urgent, urgencies.spare])
  })

  const chance = fc.double({ min: 0, max: 0.999, noNaN: true })
  const times = { patienceMs: 60_000, graceMs: 900_000, urgentStepMs: 10_000 }

  test('by each in reserve clearly later than by the one before, and by all of them after those with the duty', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(urgencies.urgent, urgencies.soon),
        fc.nat(4),
        chance,
        chance,
        (urgency, turn, one, other) => {
          const delay = (kind: 'duty' | 'reserve', at: number, random: number) =>
            copyDelayMs({ kind, turn: at }, urgency, times, random)
          expect(delay('reserve', turn, one)).toBeLessThan(delay('reserve', turn + 1, other))
          expect(delay('duty', 0, one)).toBeLessThan(delay('reserve', turn, other))
        },
      ),
    )
  })
})

test('tries in vain come ever more seldom, never all at once, and never stop', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempts, random) => {
        const delay = retryDelayMs(attempts, random)
        const longest = Math.min(2_000 * 2 ** (attempts - 1), 600_000)
        expect(delay).toBeGreaterThanOrEqual(longest / 2)
        expect(delay).toBeLessThanOrEqual(longest)
      },
    ),
  )
})
