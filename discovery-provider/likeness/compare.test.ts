import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { alikeBelowPerMille, compare, fingerprintOf, keysOf } from './compare.ts'

const items = fc.int32Array({ minLength: 300, maxLength: 400 })
/** Flips a bit of every `each`th item. */
const flipped = (print: Int32Array, each: number) =>
  print.map((item, index) => (index % each === 0 ? item ^ (1 << (index % 32)) : item))

describe('fingerprints', () => {
  test('of one recording are alike, wherever it begins and whatever an encoder has changed', () => {
    fc.assert(
      fc.property(
        items,
        fc.integer({ min: 0, max: 80 }),
        fc.integer({ min: 2, max: 20 }),
        (print, cut, each) => {
          const other = flipped(print.slice(cut), each)
          const found = compare(print, other)
          expect(found?.errorsPerMille).toBeLessThan(20)
          expect(found?.errorsPerMille).toBe(compare(other, print)?.errorsPerMille)
        },
      ),
      { numRuns: 20 },
    )
  })

  test('of other music are not, and of too little cannot be told', () => {
    const noise = (seed: number) =>
      Int32Array.from(
        { length: 300 },
        (_, index) => Math.imul(index * 7919 + seed, 0x9e3779b1) ^ (seed * index),
      )
    expect(compare(noise(1), noise(77))?.errorsPerMille).toBeGreaterThan(alikeBelowPerMille)
    expect(compare(noise(1).slice(0, 79), noise(1))).toBeUndefined()
  })

  test('are found by the same keys though the beginning is cut, and by none of silence', () => {
    fc.assert(
      fc.property(items, (print) => {
        const shared = new Set(keysOf(print))
        const common = keysOf(print.slice(40)).filter((key) => shared.has(key))
        expect(keysOf(print).length).toBeLessThanOrEqual(64)
        expect(common.length).toBeGreaterThan(Math.min(20, shared.size / 4))
      }),
      { numRuns: 20 },
    )
    expect(keysOf(new Int32Array(500).fill(627_964_279))).toEqual([])
  })

  test('are whole items of four bytes', () => {
    expect(fingerprintOf(Uint8Array.of(1, 0, 0, 0, 255, 255, 255, 255))).toEqual(Int32Array.of(1, -1))
    expect(fingerprintOf(new Uint8Array(6))).toBeUndefined()
    expect(fingerprintOf(new Uint8Array())).toBeUndefined()
  })
})
