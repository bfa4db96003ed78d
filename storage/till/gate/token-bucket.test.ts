import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createTokenBucket } from './token-bucket.ts'

test('a bucket gives no more than its rate and its burst, and as soon as it says', () => {
  const step = fc.record({ waitMs: fc.nat(3_000), amount: fc.integer({ min: 1, max: 500 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let now = 0
      const bucket = createTokenBucket({ perSecond: 100, burst: 300, now: () => now })
      let [taken, largest] = [0, 0]
      for (const { waitMs, amount } of steps) {
        now += waitMs
        const after = bucket.take(amount)
        if (after > 0) {
          now += after
          expect(bucket.take(amount)).toBe(0)
        }
        taken += amount
        largest = Math.max(largest, amount)
        expect(taken).toBeLessThanOrEqual(300 + now / 10 + largest)
      }
    }),
  )
})

test('a clock that is set back takes nothing away', () => {
  let now = 10_000
  const bucket = createTokenBucket({ perSecond: 1, burst: 2, now: () => now })
  bucket.take(1)
  now = 0
  expect(bucket.take(1)).toBe(0)
  now = 1_000
  expect(bucket.take(1)).toBe(0)
})
