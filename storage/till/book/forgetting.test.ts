import type { Address } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { first, key, openBook, voucher, word } from './fixtures/open-book.ts'

const [dayMs, hourMs] = [24 * 3_600_000, 3_600_000]
const [one, two, three, stranger] = [word('01'), word('02'), word('03'), word('04')]
const reserve = { reserved: 1_000n, released: 0n, releasing: 0n, settled: 0n }

/** A book with room for so many listeners, each with a reserve of its own. */
function listening(mostChannels = 3) {
  const opened = openBook({ mostChannels })
  const { book, chainOf, time } = opened
  const open = (payer: Address) => opened.open(first, { payer })
  /** Pays two units, of five each, and hears one; then its session ends. */
  function hear(payer: Address): void {
    const session = open(payer)
    const { base } = session.channel
    book.accept(session, voucher(base, [[first, 10n]], { payer }))
    book.charge(session, 0, 5n)
  }
  function settle(payer: Address): void {
    const { cumulative = 0n } = book.freeze(payer, key) ?? {}
    chainOf.set(payer, { ...(chainOf.get(payer) ?? reserve), settled: cumulative })
    book.settled(payer, key, cumulative)
  }
  function release(payer: Address): void {
    const before = chainOf.get(payer) ?? reserve
    chainOf.set(payer, { ...before, released: before.reserved - before.settled, releasing: 0n })
  }
  /** Sessions end, and somebody looks in, whose session ends, too. */
  function after(ms: number): void {
    time.now += ms
    open(stranger)
    time.now += hourMs
    opened.open(first, { payer: stranger, key: stranger })
  }
  const known = () => [one, two, three].filter((payer) => book.channel(payer, key) !== undefined)
  return { ...opened, open, hear, settle, release, after, known }
}

describe('a channel', () => {
  test('is forgotten when for a day nothing of it could be redeemed, also where a unit was paid ahead', () => {
    const { hear, settle, release, after, known, records, again, book } = listening()
    hear(one)
    settle(one)
    release(one)
    after(hourMs)
    after(dayMs - 3 * hourMs)
    expect(known()).toEqual([one])
    after(2 * hourMs)
    expect(known()).toEqual([])
    // After a restart, too.
    expect([...again(records).channels()].map(({ payer }) => payer)).not.toContain(one)
    expect(book.channel(one, key)).toBeUndefined()
  })

  test('is forgotten where its vouchers were not worth redeeming, and its reserve was released', () => {
    const { hear, release, after, known } = listening()
    hear(one)
    release(one)
    after(hourMs)
    after(dayMs)
    expect(known()).toEqual([])
  })

  test('is forgotten where the reserve never came on which it was served', () => {
    const { book, open, chainOf, time, after, known } = listening()
    chainOf.set(one, { ...reserve, reserved: 0n })
    const session = open(one)
    book.awaitReserve(one, key, 100n, time.now + hourMs)
    book.accept(session, voucher(0n, [[first, 10n]], { payer: one }))
    book.charge(session, 0, 5n)
    after(hourMs)
    after(dayMs)
    expect(known()).toEqual([one])
    after(hourMs)
    after(dayMs)
    expect(known()).toEqual([])
  })

  test.each<[string, (world: ReturnType<typeof listening>) => void]>([
    ['some of its reserve is left', ({ chainOf }) => chainOf.set(one, { ...reserve, released: 989n })],
    [
      'its reserve is only about to be released',
      ({ chainOf }) => chainOf.set(one, { ...reserve, releasing: 1_000n }),
    ],
    ['a frozen voucher waits', ({ book, release }) => [book.freeze(one, key), release(one)]],
  ])('is not forgotten where %s', (_, happens) => {
    const world = listening()
    world.hear(one)
    happens(world)
    for (let day = 0; day < 5; day += 1) world.after(dayMs)
    expect(world.known()).toEqual([one])
  })

  test('is not forgotten within a day after a reorganisation', () => {
    const { hear, settle, release, chainOf, after, known } = listening()
    hear(one)
    settle(one)
    release(one)
    after(hourMs)
    chainOf.set(one, { ...reserve, settled: 10n, reserved: 2_000n, released: 1_990n })
    after(dayMs)
    after(hourMs)
    expect(known()).toEqual([one])
  })

  test('that was forgotten begins anew at what the chain has settled', () => {
    const { book, hear, settle, release, after, open, chainOf } = listening()
    hear(one)
    settle(one)
    release(one)
    after(hourMs)
    after(dayMs)
    chainOf.set(one, { ...reserve, settled: 10n, released: 990n, reserved: 1_100n })
    const session = open(one)
    expect(session.channel).toMatchObject({ base: 10n, last: undefined })
    expect(book.isCovered(session, 0, 5n)).toBe(false)
    book.accept(session, voucher(10n, [[first, 5n]], { payer: one }))
    expect(book.charge(session, 0, 5n)).toBe(5n)
  })
})

describe('a full book', () => {
  test('makes room for a new listener where all that somebody paid is settled', () => {
    const { book, hear, settle, open, time, known, records, again } = listening()
    for (const payer of [one, two, three]) hear(payer)
    time.now += hourMs
    expect(() => open(stranger)).toThrow('3 listeners with money in its book')
    settle(two)
    open(stranger)
    expect(known()).toEqual([one, three])
    expect([...again(records).channels()]).toHaveLength(3)
    expect(book.counts().channels).toBe(3)
  })

  test('keeps those who are owed to it, or listen', () => {
    const { hear, settle, open, known } = listening()
    for (const payer of [one, two, three]) hear(payer)
    settle(two)
    expect(() => open(stranger)).toThrow('3 listeners')
    expect(known()).toEqual([one, two, three])
  })
})

type Event = { do: 'hear' | 'freeze' | 'settle' | 'release' | 'reserve' | 'later'; of: number }
const event: fc.Arbitrary<Event> = fc.record({
  do: fc.constantFrom(...(['hear', 'freeze', 'settle', 'release', 'reserve', 'later', 'later'] as const)),
  of: fc.nat(2),
})

test('what is forgotten could not be redeemed, and a book that is read again has forgotten the same', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const { book, hear, settle, release, after, chainOf, records, again, time } = listening(20)
      const payers = [one, two, three]
      for (const { do: what, of } of events) {
        const payer = payers[of] ?? one
        const chain = chainOf.get(payer) ?? reserve
        const owed = () => {
          const { last, frozen = [] } = book.channel(payer, key) ?? {}
          return [...frozen, ...(last ? [last] : [])]
        }
        const free = chain.reserved - chain.released - (owed().at(-1)?.cumulative ?? chain.settled)
        const before = new Map(payers.map((one) => [one, book.channel(one, key)]))
        if (what === 'hear' && free >= 10n && owed().length === 0) hear(payer)
        else if (what === 'freeze') book.freeze(payer, key)
        else if (what === 'settle' && owed().length > 0 && free >= 0n) settle(payer)
        else if (what === 'release') release(payer)
        else if (what === 'reserve') chainOf.set(payer, { ...chain, reserved: chain.reserved + 100n })
        else if (what === 'later') after(dayMs / 2)
        for (const [of, channel] of before) {
          if (channel === undefined || book.channel(of, key) !== undefined) continue
          const { reserved, released, settled } = chainOf.get(of) ?? reserve
          const vouchers = [...channel.frozen, ...(channel.last ? [channel.last] : [])]
          expect(vouchers.filter(({ cumulative }) => cumulative <= reserved - released)).toEqual([])
          expect(channel.base).toBe(settled)
        }
      }
      time.now += hourMs
      const paid = (some: Iterable<{ payer: Address; base: bigint; credits: unknown }>) =>
        [...some]
          .filter(({ payer }) => payers.includes(payer))
          .map(({ payer, base, credits }) => [payer, base, credits])
      expect(paid(again(records).channels()).sort()).toEqual(paid(book.channels()).sort())
    }),
    { numRuns: 200 },
  )
})
