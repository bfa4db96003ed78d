import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { raisedFees, replaces } from './fees.ts'

const noLimit = 2n ** 200n
const wei = fc.bigInt({ min: 0n, max: 10n ** 13n })
const fees = fc
  .record({ maxFee: wei, priorityFee: wei })
  .map(({ maxFee, priorityFee }) => ({ maxFee: maxFee + priorityFee, priorityFee }))

describe('raised fees', () => {
  test('replace what was sent before, whatever was sent and whatever is suggested now', () => {
    fc.assert(
      fc.property(fees, fees, (previous, suggested) => {
        expect(replaces(raisedFees(previous, suggested, noLimit), previous)).toBe(true)
      }),
    )
  })

  test('are no less than what is suggested now', () => {
    fc.assert(
      fc.property(fees, fees, (previous, suggested) => {
        const raised = raisedFees(previous, suggested, noLimit)
        expect(raised.maxFee).toBeGreaterThanOrEqual(suggested.maxFee)
        expect(raised.priorityFee).toBeGreaterThanOrEqual(suggested.priorityFee)
      }),
    )
  })

  test('never pass the limit, nor does the priority fee ever pass the maximum', () => {
    fc.assert(
      fc.property(fees, fees, wei, (previous, suggested, limit) => {
        const raised = raisedFees(previous, suggested, limit)
        expect(raised.maxFee).toBeLessThanOrEqual(limit)
        expect(raised.priorityFee).toBeLessThanOrEqual(raised.maxFee)
      }),
    )
  })
})

test('a rise of less than a tenth in either fee replaces nothing', () => {
  const previous = { maxFee: 1_000n, priorityFee: 100n }
  expect(replaces({ maxFee: 1_100n, priorityFee: 110n }, previous)).toBe(true)
  expect(replaces({ maxFee: 1_099n, priorityFee: 110n }, previous)).toBe(false)
  expect(replaces({ maxFee: 1_100n, priorityFee: 109n }, previous)).toBe(false)
})
