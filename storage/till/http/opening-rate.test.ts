import { expect, test } from '@jest/globals'
import { createOpeningRate } from './opening-rate.ts'

test('one address opens sixty sessions at once, and then one a second; a proxy of the operator’s own as many as it likes', () => {
  let now = 0
  const open = createOpeningRate(() => now)
  const times = (count: number, address: string) => {
    let opened = 0
    for (let time = 0; time < count; time += 1) {
      try {
        open(address)
        opened += 1
      } catch (error) {
        expect(error).toMatchObject({ status: 429 })
      }
    }
    return opened
  }
  expect(times(70, '8.8.8.7')).toBe(60)
  expect(times(70, '8.8.8.8')).toBe(60)
  now += 2_000
  expect(times(70, '8.8.8.7')).toBe(2)
  expect(times(70, '10.0.0.1')).toBe(70)
  // All of a /64 are one customer, however an address is written.
  expect(times(40, '2606:4700::1') + times(40, '2606:4700::2:3') + times(40, '2606:4700:0:0:9:8:7:6')).toBe(
    60,
  )
  expect(times(1, '2606:4700:0:1::1')).toBe(1)
  // As a server that listens on both sees IPv4.
  expect(times(70, '::ffff:8.8.4.4') + times(70, '::ffff:1.1.1.1')).toBe(120)
})
