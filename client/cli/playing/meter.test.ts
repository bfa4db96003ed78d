import { type Address, subjectOf } from '@hexachord/protocol/names'
import type { Spending } from '@hexachord/sdk/paying'
import { expect, test } from '@jest/globals'
import { createMeter } from './meter.ts'

const token = { address: `0x${'cc'.repeat(20)}` as const, symbol: 'LUSD', decimals: 6 }
const [guido, hilda, first, second] = ['a1', 'b2', '01', '02'].map(
  (byte): Address => `0x${byte.repeat(20)}`,
) as [Address, Address, Address, Address]
const [his, hers] = [subjectOf(guido, 1n), subjectOf(hilda, 1n)]

test('a meter tells after each payment what was spent: by track, artist and node, and what the budget has left', () => {
  const meter = createMeter(token)
  expect([meter.paid(), meter.text()]).toEqual([undefined, 'nothing paid'])
  const spent = (track: typeof his, node: Address, total: bigint): Spending => ({
    ...{
      track,
      artist: track === his ? guido : hilda,
      node,
      unit: 0,
      amount: 5_000n,
      curator: hilda,
      atMs: 0,
    },
    ...{ total, left: 100_000n - total },
  })
  meter.note(spent(his, first, 5_000n))
  expect(meter.text()).toBe(`paid 0.005 LUSD, 0.095 LUSD of the budget left (0.005 LUSD at 0x0101…0101)`)
  meter.note(spent(his, second, 10_000n))
  meter.note(spent(hers, second, 15_000n))
  expect(meter.text()).toBe(
    `paid 0.015 LUSD, 0.085 LUSD of the budget left (0.005 LUSD at 0x0101…0101, 0.01 LUSD at 0x0202…0202)`,
  )
  expect(meter.paid()).toEqual({
    ...{ token, total: '15000' },
    tracks: { [his]: '10000', [hers]: '5000' },
    artists: { [guido]: '10000', [hilda]: '5000' },
    nodes: { [first]: '5000', [second]: '10000' },
  })
  meter.note({ ...spent(hers, first, 20_000n), left: null })
  expect(meter.text()).toMatch(/^paid 0.02 LUSD \([^)]*\)$/)
})
