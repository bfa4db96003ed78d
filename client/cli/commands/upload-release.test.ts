import { describe, expect, test } from '@jest/globals'
import { assertReleasable, releaseTime } from './upload-release.ts'

const day = 86_400_000
const now = Date.UTC(2026, 11, 1)

describe('the time of a release', () => {
  test.each([
    ['2026-12-24T00:00Z', Date.UTC(2026, 11, 24)],
    ['2026-12-24T00:00:30Z', Date.UTC(2026, 11, 24, 0, 0, 30)],
    ['2026-12-24 00:00 Z', Date.UTC(2026, 11, 24)],
    ['2026-12-24T00:00+01:00', Date.UTC(2026, 11, 23, 23)],
    ['2026-12-24T00:00-05:30', Date.UTC(2026, 11, 24, 5, 30)],
    ['2028-02-29T12:00Z', Date.UTC(2028, 1, 29, 12)],
    ['2026-12-24T18:30local', new Date(2026, 11, 24, 18, 30).getTime()],
    ['2026-12-24 18:30 local', new Date(2026, 11, 24, 18, 30).getTime()],
  ])('is read from %s', (text, ms) => {
    expect(releaseTime(text)).toBe(ms)
  })

  test.each([
    ['2026-12-24', 'with its zone'],
    ['2026-12-24T00:00', 'with its zone'],
    ['tomorrow', 'with its zone'],
    ['1798070400000', 'with its zone'],
    ['', 'with its zone'],
    ['2026-12-24T00:00Z; rm', 'with its zone'],
    ['2026-02-30T00:00Z', 'no such time'],
    ['2026-13-01T00:00Z', 'no such time'],
    ['2027-02-29T00:00Z', 'no such time'],
    ['2026-12-24T24:01Z', 'no such time'],
    ['2026-12-24T00:00+99:00', 'no such time'],
  ])('is not %s', (text, message) => {
    expect(() => releaseTime(text)).toThrow(message)
  })

  test('is at most a month ahead; one that is past may be of a release that was', () => {
    expect(() => assertReleasable({ release: now + 30 * day }, now)).not.toThrow()
    expect(() => assertReleasable({ release: now + 30 * day + 1 }, now)).toThrow('at most 30 days ahead')
    expect(() => assertReleasable({ release: now - day }, now)).not.toThrow()
    expect(() => assertReleasable({ release: now + day, premium: true }, now)).toThrow('Give --premium alone')
    expect(() => assertReleasable({ premium: true }, now)).not.toThrow()
  })
})
