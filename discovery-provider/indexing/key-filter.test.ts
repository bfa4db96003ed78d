import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createKeyFilter } from './key-filter.ts'

describe('a filter of keys', () => {
  test('never denies a key that was added', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (keys) => {
        const filter = createKeyFilter()
        for (const key of keys) filter.add(key)
        expect(keys.every(filter.mayHave)).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  test('denies nearly all keys that were not, among a hundred thousand of the same look', () => {
    const filter = createKeyFilter()
    const keyOf = (number: number) =>
      `save/0x${number.toString(16).padStart(40, '0')}/0x${'ab'.repeat(20)}-${number % 1000}`
    for (let number = 0; number < 100_000; number += 1) filter.add(keyOf(number))
    let mistaken = 0
    for (let number = 100_000; number < 200_000; number += 1) if (filter.mayHave(keyOf(number))) mistaken += 1
    expect(mistaken).toBeLessThan(100)
  })
})
