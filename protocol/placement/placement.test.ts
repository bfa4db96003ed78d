import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Address, type Subject, subjectOf } from '../names/index.ts'
import type { Operator, OperatorSet } from '../operators/index.ts'
import { acceptedOperators, copiesPossible, epochOf, rankOperators, weightOf } from './index.ts'

const bytesPerToken = 10n ** 9n
const token = 10n ** 18n

function addressOf(index: number): Address {
  return `0x${index.toString(16).padStart(40, '0')}`
}

function operator(index: number, fields: Partial<Operator> = {}): Operator {
  return {
    operator: addressOf(index),
    controller: addressOf(index),
    endpoint: `http://operator-${index}.example`,
    peerId: '0x00',
    hotKey: addressOf(index + 1000),
    capacityBytes: 10n ** 12n,
    exiting: false,
    stakeWei: 1000n * token,
    active: true,
    ...fields,
  }
}

function setOf(operators: readonly Operator[]): OperatorSet {
  return new Map(operators.map((one) => [one.operator, one]))
}

function tracks(count: number): Subject[] {
  return Array.from({ length: count }, (_, index) => subjectOf(addressOf(77), BigInt(index + 1)))
}

describe('the weight of an operator', () => {
  test('is its capacity, at most what its stake answers for, and nothing while it is inactive', () => {
    expect(weightOf(operator(1, { capacityBytes: 5n }), bytesPerToken)).toBe(5n)
    expect(weightOf(operator(1, { stakeWei: 2n * token }), bytesPerToken)).toBe(2n * bytesPerToken)
    expect(weightOf(operator(1, { active: false }), bytesPerToken)).toBe(0n)
  })
})

describe('placement', () => {
  test('gives the same order whatever the order of the operators', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 20 }),
        (ids) => {
          const [subject] = tracks(1) as [Subject]
          const one = rankOperators(subject, setOf(ids.map((id) => operator(id))), bytesPerToken)
          const two = rankOperators(subject, setOf(ids.toReversed().map((id) => operator(id))), bytesPerToken)
          expect(one.map((o) => o.operator)).toEqual(two.map((o) => o.operator))
          expect(one.length).toBe(ids.length)
        },
      ),
    )
  })

  test('has a fixed order that other implementations can be held to', () => {
    const operators = setOf(
      [1, 2, 3, 4, 5].map((id) => operator(id, { capacityBytes: BigInt(id) * 10n ** 11n })),
    )
    const order = tracks(4).map((track) =>
      rankOperators(track, operators, bytesPerToken).map((one) => Number(BigInt(one.operator))),
    )
    expect(order).toMatchInlineSnapshot(`
[
  [
    5,
    4,
    2,
    3,
    1,
  ],
  [
    3,
    5,
    2,
    1,
    4,
  ],
  [
    5,
    3,
    4,
    1,
    2,
  ],
  [
    5,
    4,
    1,
    3,
    2,
  ],
]
`)
  })

  test('gives each operator first ranks by its weight, within 5 % over 10,000 tracks', () => {
    const weights = [1n, 2n, 3n, 4n]
    const operators = setOf(
      weights.map((weight, index) => operator(index + 1, { capacityBytes: weight * 10n ** 11n })),
    )
    const firsts = new Map<Address, number>()
    for (const track of tracks(10_000)) {
      const first = rankOperators(track, operators, bytesPerToken)[0]?.operator ?? addressOf(0)
      firsts.set(first, (firsts.get(first) ?? 0) + 1)
    }
    weights.forEach((weight, index) => {
      const share = (firsts.get(addressOf(index + 1)) ?? 0) / 10_000
      expect(Math.abs(share - Number(weight) / 10)).toBeLessThan(0.05 * (Number(weight) / 10) + 0.005)
    })
  })

  test('moves only the share of an operator that leaves', () => {
    const all = [1, 2, 3, 4, 5, 6].map((id) => operator(id))
    const without = setOf(all.filter((one) => one.operator !== addressOf(3)))
    for (const track of tracks(500)) {
      const before = rankOperators(track, setOf(all), bytesPerToken).map((one) => one.operator)
      const after = rankOperators(track, without, bytesPerToken).map((one) => one.operator)
      expect(after).toEqual(before.filter((one) => one !== addressOf(3)))
    }
  })

  test('counts operators under one controller once', () => {
    const operators = setOf([operator(1), operator(2, { controller: addressOf(1) }), operator(3)])
    for (const track of tracks(200)) {
      const ranked = rankOperators(track, operators, bytesPerToken)
      expect(ranked.length).toBe(2)
      expect(new Set(ranked.map((one) => one.controller)).size).toBe(2)
    }
    expect(copiesPossible(operators, bytesPerToken)).toBe(2)
  })
})

describe('the epoch of a block', () => {
  const rules = { finalityBlocks: 2, epochBlocks: 16, bytesPerToken }

  test('begins only when its first block is final', () => {
    expect(epochOf(0, rules)).toEqual({ epoch: 0, block: 0 })
    expect(epochOf(17, rules)).toEqual({ epoch: 0, block: 0 })
    expect(epochOf(18, rules)).toEqual({ epoch: 1, block: 16 })
  })

  test('receipts of the previous epoch are still accepted, and none of the one before', () => {
    const [subject] = tracks(1) as [Subject]
    const byBlock = new Map([
      [0, setOf([operator(1)])],
      [16, setOf([operator(2)])],
      [32, setOf([operator(3)])],
    ])
    const accepted = acceptedOperators(subject, 35, rules, (block) => byBlock.get(block) ?? setOf([]))
    expect(accepted.operators.map((one) => one.operator)).toEqual([addressOf(3), addressOf(2)])
    expect(accepted.copies).toBe(1)
  })

  test('only the first six ranks of an epoch are accepted', () => {
    const [subject] = tracks(1) as [Subject]
    const nine = setOf(Array.from({ length: 9 }, (_, index) => operator(index + 1)))
    const accepted = acceptedOperators(subject, 5, rules, () => nine)
    expect(accepted.operators.length).toBe(6)
    expect(accepted.copies).toBe(3)
  })
})
