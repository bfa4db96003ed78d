import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { msUntilNextCheck } from './daily-checks.ts'

const hourMs = 3_600_000
const at = (text: string) => Date.parse(`2026-03-01T${text}Z`)

describe('the next check', () => {
  test.each([
    ['00:00:00', 0, 3],
    ['02:59:59', 1, 2 + 1 / 3600],
    // Whoever has just checked waits for the next night.
    ['03:00:00', 0, 24],
    ['04:30:00', 0.5, 23.5],
  ])('after %s, by a chance of %s, is %s hours away', (time, random, hours) => {
    expect(msUntilNextCheck(at(time), random)).toBe(Math.round(hours * hourMs))
  })

  test('is at night, and never twice in one', () => {
    const chance = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
    fc.assert(
      fc.property(fc.nat(4e12), chance, chance, (nowMs, one, other) => {
        const first = nowMs + msUntilNextCheck(nowMs, one)
        const second = first + msUntilNextCheck(first, other)
        const hour = (first / hourMs) % 24
        expect(hour >= 3 && hour <= 5).toBe(true)
        expect(second - first).toBeGreaterThanOrEqual(22 * hourMs)
        expect(first - nowMs).toBeLessThanOrEqual(26 * hourMs)
      }),
    )
  })
})
