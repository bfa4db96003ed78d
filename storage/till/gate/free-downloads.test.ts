import type { IncomingMessage } from 'node:http'
import { expect, test } from '@jest/globals'
import { createFreeDownloads } from './free-downloads.ts'

function downloadsAt(bytesPerSecond: number) {
  const state = { now: 0, spent: 0, waits: [] as number[] }
  const downloads = createFreeDownloads({
    bytesPerSecond,
    spend: (bytes) => {
      state.spent += bytes
    },
    now: () => state.now,
    sleep: async (ms) => void state.waits.push(ms),
  })
  const from = (remoteAddress: string) =>
    downloads.begin({ socket: { remoteAddress } } as Partial<IncomingMessage> as IncomingMessage)
  return { state, from }
}

test('so many downloads begin as can be played, a quarter of them of one client; each that ends makes room', () => {
  const { from } = downloadsAt(2 * 16 * 65_536)
  const ofOne = Array.from({ length: 5 }, (_, at) => from(`2606:4700::${at + 1}`))
  expect(ofOne.map((one) => one !== undefined)).toEqual([true, true, true, true, false])
  const others = Array.from({ length: 20 }, (_, at) => from(`8.8.4.${at}`))
  expect(others.filter((one) => one !== undefined)).toHaveLength(12)
  ofOne[0]?.end()
  // Once.
  ofOne[0]?.end()
  expect([from('1.1.1.1'), from('1.1.1.2')].map((one) => one !== undefined)).toEqual([true, false])
})

test('what a proxy of the operator’s own asks for is of many clients', () => {
  const { from } = downloadsAt(2 * 16 * 65_536)
  const begun = Array.from({ length: 20 }, () => from('10.0.0.1')).filter((one) => one !== undefined)
  expect(begun).toHaveLength(16)
})

test('downloads share half of the rate, one piece after the other, and take it from the whole', async () => {
  const { state, from } = downloadsAt(4 * 65_536)
  const [one, two] = [from('1.1.1.1'), from('1.1.1.2')]
  const second = 2 * 65_536
  await one?.next(10 * second)
  expect(state.waits).toEqual([])
  await two?.next(second)
  await one?.next(second)
  expect(state.waits).toEqual([1_000, 2_000])
  state.now += 2_000
  await two?.next(second / 2)
  expect([state.waits.at(-1), state.spent]).toEqual([500, 12.5 * second])
})
