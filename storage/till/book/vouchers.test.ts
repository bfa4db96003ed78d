import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readLines } from './vouchers.ts'

const line = fc.record({ place: fc.constantFrom('a', 'b', 'c', 'd'), amount: fc.integer({ min: 1, max: 3 }) })
const packed = fc
  .array(line, { maxLength: 6 })
  .map((lines) =>
    lines.reduce(
      (text, { place, amount }) => text + place.repeat(104) + amount.toString(16).padStart(24, '0'),
      '0x',
    ),
  )

test('lines are the same whatever was read before them', () => {
  fc.assert(
    fc.property(packed, packed, (before, after) => {
      const [fresh, again] = [readLines(after), readLines(after, readLines(before))]
      expect([...again]).toEqual([...fresh])
    }),
  )
})
