import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { commonDigits, readLines } from './vouchers.ts'

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

test('digits that two texts have in common end where the first differs', () => {
  fc.assert(
    fc.property(packed, packed, fc.nat({ max: 900 }), (before, other, at) => {
      for (const after of [other, before.slice(0, at) + other.slice(at), before.slice(0, at)]) {
        const common = commonDigits(before, after)
        expect(after.slice(0, common)).toBe(before.slice(0, common))
        const isOver = common === Math.min(before.length, after.length)
        expect(isOver || before[common] !== after[common]).toBe(true)
      }
    }),
  )
})
