import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import * as z from 'zod'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'

const key = z.tuple([z.int(), z.string()])

describe('a cursor', () => {
  test('brings its key back, in characters that URLs take as they are', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.string({ unit: 'binary' }), (number, text) => {
        const cursor = encodeCursor([number, text.toWellFormed()])
        expect(cursor).toMatch(/^[\w-]*$/)
        expect(decodeCursor(key, cursor)).toEqual([number === 0 ? 0 : number, text.toWellFormed()])
      }),
    )
  })

  test('that we did not make is refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(() => decodeCursor(key, text)).toThrow(/must be the `next`/)
      }),
    )
    expect(() => decodeCursor(key, encodeCursor(['1', 2]))).toThrow(/must be the `next`/)
  })
})

describe('a page', () => {
  const page = (rows: number[], limit: number) =>
    pageOf(
      rows,
      limit,
      (row) => row * 10,
      (row) => [row],
    )

  test('has a next one only when there is a row beyond it', () => {
    expect(page([3, 2], 2)).toEqual({ items: [30, 20], next: null })
    expect(page([3, 2, 1], 2)).toEqual({ items: [30, 20], next: encodeCursor([2]) })
    expect(page([], 2)).toEqual({ items: [], next: null })
  })
})
