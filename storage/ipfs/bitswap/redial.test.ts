import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { redialDelayMs } from './redial.ts'

describe('the wait before a peer is dialled again', () => {
  test('doubles from two seconds to ten minutes', () => {
    expect([1, 2, 3, 4, 9, 10, 100].map((failures) => redialDelayMs(failures, 0))).toEqual([
      2_000, 4_000, 8_000, 16_000, 512_000, 600_000, 600_000,
    ])
  })

  test('is shortened by chance, but never by more than half', async () => {
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    await fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), chance, (failures, random) => {
        const longest = redialDelayMs(failures, 0)
        const delay = redialDelayMs(failures, random)
        expect(delay).toBeLessThanOrEqual(longest)
        expect(delay).toBeGreaterThanOrEqual(longest / 2)
      }),
    )
  })
})
