import { describe, expect, test } from '@jest/globals'
import { judgeFlatness, type Point, trendOf } from './trend.ts'

const minuteMs = 60_000

/** A point each minute; `value` is told the minute. */
function life(life: number, from: number, minutes: number, value: (minute: number) => number): Point[] {
  return Array.from({ length: minutes }, (_, index) => ({
    atMs: (from + index) * minuteMs,
    value: value(index),
    life,
  }))
}

/** Between -1 and 1, and always the same. */
const noise = (index: number) => Math.sin(index * 12.9898) * Math.cos(index * 78.233)

describe('the trend of a quantity', () => {
  test('is the slope of its line', () => {
    const trend = trendOf(
      life(1, 0, 30, (minute) => 100 + 2 * minute),
      0,
    )
    expect(trend?.slope).toBeCloseTo(2 / minuteMs, 10)
    expect(trend).toMatchObject({ points: 30, mean: 129, spanMs: 29 * minuteMs })
    expect(trend?.slopeError).toBeCloseTo(0, 10)
  })

  test('is seen through restarts that bring the quantity down each time', () => {
    const points = [0, 1, 2, 3].flatMap((index) => life(index, index * 10, 10, (minute) => 100 + 3 * minute))
    expect(trendOf(points, 0)?.slope).toBeCloseTo(3 / minuteMs, 10)
  })

  test('is none where each life begins higher but stays where it began', () => {
    const points = [0, 1, 2].flatMap((index) => life(index, index * 10, 10, () => 100 + 50 * index))
    expect(trendOf(points, 0)?.slope).toBeCloseTo(0, 10)
  })

  test('leaves the warm-up of each life out', () => {
    const points = [0, 1].flatMap((index) =>
      life(index, index * 20, 20, (minute) => Math.min(minute, 5) * 100),
    )
    expect(trendOf(points, 5 * minuteMs)?.slope).toBeCloseTo(0, 10)
    expect(trendOf(points, 0)?.slope).toBeGreaterThan(1 / minuteMs)
  })

  test('cannot be told from a few points, or from one moment', () => {
    expect(trendOf([], 0)).toBeUndefined()
    expect(
      trendOf(
        life(1, 0, 4, (minute) => minute),
        0,
      ),
    ).toBeUndefined()
    expect(trendOf(Array(9).fill({ atMs: 1, value: 1, life: 1 }), 0)).toBeUndefined()
  })
})

describe('flatness', () => {
  const tolerance = { share: 0.1, absolute: 5 }

  test('forgives what is small, in itself or for what there is', () => {
    const small = life(1, 0, 60, (minute) => 20 + 0.05 * minute)
    expect(judgeFlatness(small, tolerance, 0)).toMatchObject({ flat: true, allowed: 5 })
    const large = life(1, 0, 60, (minute) => 1000 + minute)
    expect(judgeFlatness(large, tolerance, 0)).toMatchObject({ flat: true })
  })

  test('sees a leak under noise', () => {
    const leaking = life(1, 0, 60, (minute) => 100 + minute + 20 * noise(minute))
    const { flat, growth } = judgeFlatness(leaking, tolerance, 0)
    expect(flat).toBe(false)
    expect(growth).toBeGreaterThan(40)
  })

  test('takes noise for noise', () => {
    const noisy = life(1, 0, 60, (minute) => 100 + 60 * noise(minute))
    expect(judgeFlatness(noisy, tolerance, 0).flat).toBe(true)
  })

  test('welcomes what falls', () => {
    expect(
      judgeFlatness(
        life(1, 0, 60, (minute) => 500 - 5 * minute),
        tolerance,
        0,
      ).flat,
    ).toBe(true)
  })

  test('is open for whoever has not lived long', () => {
    const young = life(1, 0, 8, (minute) => 100 * minute)
    expect(judgeFlatness(young, tolerance, 0, 10 * minuteMs).flat).toBeUndefined()
    expect(judgeFlatness(young, tolerance, 0, 5 * minuteMs).flat).toBe(false)
  })

  test('is open while there is too little to tell', () => {
    expect(judgeFlatness([], tolerance, 0)).toEqual({
      trend: undefined,
      growth: 0,
      allowed: 5,
      flat: undefined,
    })
  })
})
