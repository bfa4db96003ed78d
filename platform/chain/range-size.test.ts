import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createRangeSize, type RangeSize, suggestedBlocks } from './range-size.ts'

/** Asks a provider that serves up to `limit` blocks, of `density` logs each, so many times. */
function ask(size: RangeSize, provider: { limit: number; density: number; says?: string }, times: number) {
  let refused = 0
  let served = 0
  for (let count = 0; count < times; count += 1) {
    const { blocks } = size
    if (blocks <= provider.limit) {
      served += blocks
      size.succeeded({ blocks, logs: blocks * provider.density })
    } else {
      refused += 1
      size.failed({ blocks, suggested: suggestedBlocks(provider.says ?? 'too many results') })
    }
  }
  return { refused, served }
}

describe('the size of a range', () => {
  test('grows quickly where there are no logs, up to its bound', () => {
    const size = createRangeSize({ maxBlocks: 10_000 })
    ask(size, { limit: Number.POSITIVE_INFINITY, density: 0 }, 3)
    expect(size.blocks).toBe(10_000)
  })

  test('settles where a range holds a thousand logs', () => {
    const size = createRangeSize({ maxBlocks: 100_000 })
    ask(size, { limit: Number.POSITIVE_INFINITY, density: 100 }, 5)
    expect(size.blocks).toBe(10)
  })

  test('takes a size that the provider names', () => {
    const size = createRangeSize({ maxBlocks: 10_000 })
    const { refused } = ask(size, { limit: 37, density: 0, says: 'up to a 37 block range' }, 20)
    expect(size.blocks).toBe(37)
    expect(refused).toBe(1)
  })

  test('comes close to any limit that it is not told, without being refused often', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), (limit) => {
        const size = createRangeSize({ maxBlocks: 10_000 })
        const { refused } = ask(size, { limit, density: 0 }, 100)
        expect(refused).toBeLessThan(30)
        const { served } = ask(size, { limit, density: 0 }, 40)
        expect(served / 40).toBeGreaterThan(Math.min(limit, 10_000) * 0.6)
      }),
    )
  })

  test('finds a limit that was lowered, and one that was raised again', () => {
    const size = createRangeSize({ maxBlocks: 10_000 })
    ask(size, { limit: 10_000, density: 0 }, 20)
    ask(size, { limit: 100, density: 0 }, 30)
    expect(size.blocks).toBeLessThanOrEqual(110)
    ask(size, { limit: 10_000, density: 0 }, 1_000)
    expect(size.blocks).toBeGreaterThan(5_000)
  })

  test('is as large as it was soon after a limit has gone', () => {
    const size = createRangeSize({ maxBlocks: 10_000 })
    ask(size, { limit: 5, density: 0 }, 40)
    expect(size.blocks).toBe(5)
    ask(size, { limit: Number.POSITIVE_INFINITY, density: 0 }, 60)
    expect(size.blocks).toBe(10_000)
  })

  test('is never less than one block', () => {
    const size = createRangeSize({ maxBlocks: 10_000 })
    ask(size, { limit: 0, density: 0 }, 50)
    expect(size.blocks).toBe(1)
  })
})

describe('the size a message suggests', () => {
  test.each([
    ['query exceeds max results, try with this block range [0x10, 0x1f].', 16],
    ['You can make eth_getLogs requests with up to a 2,000 block range.', 2_000],
    ['eth_getLogs is limited to 10000 blocks', 10_000],
    ['Log response size exceeded.', null],
    ['limit exceeded', null],
    ['block range [0x1f, 0x10]', null],
  ])('"%s" is %p', (message, blocks) => {
    expect(suggestedBlocks(message)).toBe(blocks)
  })
})
