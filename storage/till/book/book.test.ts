import { type Address, type Subject, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { packLines, repeatsOfUnit, type SentVoucher, unitsBeforeMined } from '@hexachord/protocol/payments'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type BookRecord, createBook, NotCovered, type Session, VoucherRefused } from './index.ts'

const word = (digit: string, length = 20): `0x${string}` => `0x${digit.repeat(length)}`
const [payer, key, node, nobody] = [word('0a'), word('0b'), word('0c'), word('00')]
const subjects = [1n, 2n, 3n].map((number) => subjectOf(word('0d'), number))
const [first = '0x-' as Subject, second = '0x-' as Subject] = subjects
const prices = new Map(subjects.map((subject, place) => [subjectToBytes32(subject), BigInt(5 + place)]))

/** A book with a chain of which everything can be said. */
function openBook() {
  const chain = { reserved: 1_000n, released: 0n, releasing: 0n, settled: 0n }
  const time = { now: 1_000_000 }
  const records: BookRecord[] = []
  const make = (write: (record: BookRecord) => void) =>
    createBook({
      view: {
        termsOf: (track) => {
          const unitPrice = prices.get(track)
          return unitPrice === undefined
            ? undefined
            : { unitPrice, nodeBps: 1_000, curatorBps: 0, version: 1 }
        },
        channel: () => chain,
      },
      leastNodeBps: 500,
      now: () => time.now,
      limits: { sessions: 6, sessionsOfChannel: 4 },
      mostChannels: 100,
      write,
    })
  const made = make((record) => records.push(structuredClone(record)))
  // Whose signature it is stands in its place.
  const accept = (session: Session, sent: SentVoucher) =>
    made.accept(session, sent, sent.signature as Address)
  const book = { ...made, accept }
  let opened = 0
  const open = (subject: Subject, change: { payer?: Address; key?: Address } = {}): Session => {
    opened += 1
    return book.open({
      ...{ token: `token ${opened}`, opening: `0x${opened}`, payer, key, subject, curator: nobody },
      ...{ manifest: 'bafy', units: 10, expiresAt: time.now + 3_600_000, ...change },
    })
  }
  /** The same book after a restart, from all records or from a snapshot. */
  const again = (from: Iterable<BookRecord>) => {
    const copy = make(() => {
      throw new Error('to replay writes nothing')
    })
    for (const record of from) copy.apply(JSON.parse(JSON.stringify(record)))
    return copy
  }
  return { book, chain, time, records, open, again }
}

type Amounts = readonly (readonly [Subject, bigint])[]

function voucher(base: bigint, amounts: Amounts, change: Partial<SentVoucher> = {}): SentVoucher {
  const lines = amounts.map(([subject, amount]) => ({
    track: subjectToBytes32(subject),
    curator: nobody,
    amount,
  }))
  const cumulative = amounts.reduce((sum, [, amount]) => sum + amount, base)
  const packed: `0x${string}` = `0x${Buffer.from(packLines(lines)).toString('hex')}`
  return { payer, base, cumulative, lines: packed, signature: key, ...change }
}

describe('a unit', () => {
  test('is served for what was paid for its track alone, and charged once', () => {
    const { book, open } = openBook()
    const session = open(first)
    expect(() => book.charge(session, 0, 5n)).toThrow(NotCovered)
    book.accept(session, voucher(0n, [[second, 900n]]))
    expect(() => book.charge(session, 0, 5n)).toThrow(NotCovered)
    book.accept(
      session,
      voucher(0n, [
        [second, 900n],
        [first, 9n],
      ]),
    )
    expect(book.charge(session, 0, 5n)).toBe(5n)
    expect(() => book.charge(session, 1, 5n)).toThrow(NotCovered)
    for (let repeat = 0; repeat < repeatsOfUnit; repeat += 1) expect(book.charge(session, 0, 5n)).toBe(0n)
    expect(() => book.charge(session, 0, 5n)).toThrow(NotCovered)
  })

  test('that is cut into halves is fetched when both are, and what takes no bandwidth may always be had again', () => {
    const { book, open } = openBook()
    const session = open(first)
    book.accept(session, voucher(0n, [[first, 10n]]))
    expect(book.charge(session, 0, 5n, 0.5)).toBe(5n)
    const halves = 2 * (1 + repeatsOfUnit) - 1
    for (let half = 0; half < halves; half += 1) expect(book.charge(session, 0, 5n, 0.5)).toBe(0n)
    for (let key = 0; key < 20; key += 1) expect(book.charge(session, 0, 5n, 0)).toBe(0n)
    expect(book.isCovered(session, 0, 5n, 0)).toBe(true)
    expect(book.charge(session, 0, 5n, 0.5)).toBe(5n)
    expect(book.isCovered(session, 1, 5n, 0)).toBe(false)
  })

  test('is paid once more in another session of the same track', () => {
    const { book, open } = openBook()
    const [one, two] = [open(first), open(first)]
    book.accept(one, voucher(0n, [[first, 10n]]))
    expect(book.charge(one, 0, 5n)).toBe(5n)
    expect(book.charge(two, 0, 5n)).toBe(5n)
    expect(() => book.charge(two, 1, 5n)).toThrow(NotCovered)
  })

  test('is served on a signed reserve up to a bound, until the chain has it', () => {
    const { book, open, chain, time } = openBook()
    chain.reserved = 7n
    const session = open(first)
    const large = voucher(0n, [[first, 100n]])
    book.accept(session, voucher(0n, [[first, 7n]]))
    expect(() => book.accept(session, large)).toThrow(VoucherRefused)
    book.awaitReserve(payer, key, 100n, time.now + 60_000)
    book.accept(session, large)
    for (let unit = 0; unit < unitsBeforeMined; unit += 1) expect(book.charge(session, unit, 5n)).toBe(5n)
    expect(() => book.charge(session, unitsBeforeMined, 5n)).toThrow(NotCovered)
    // What can be redeemed is what needs no more than the chain has.
    expect(book.freeze(payer, key)).toMatchObject({ cumulative: 7n })
    chain.reserved = 100n
    book.settled(payer, key, 7n)
    expect(book.channel(payer, key)?.credits.get(session.track)).toBe(7n - 50n)
    book.accept(session, voucher(7n, [[first, 50n]]))
    expect(book.charge(session, unitsBeforeMined, 5n)).toBe(5n)
  })
})

describe('a channel', () => {
  test('begins anew where its operator redeemed an older voucher elsewhere, which kills the one that was frozen', () => {
    const { book, open, chain } = openBook()
    chain.reserved = 100n
    const session = open(first)
    book.accept(session, voucher(0n, [[first, 10n]]))
    expect(book.freeze(payer, key)).toMatchObject({ cumulative: 10n })
    book.accept(session, voucher(10n, [[first, 9n]]))
    book.settled(payer, key, 0n)
    expect(book.channel(payer, key)).toMatchObject({ base: 10n, frozen: { cumulative: 10n } })
    book.settled(payer, key, 4n)
    expect(book.channel(payer, key)).toMatchObject({ base: 4n, last: undefined, frozen: undefined })
    expect(() => book.charge(session, 0, 5n)).toThrow(NotCovered)
    book.accept(session, voucher(4n, [[first, 9n]]))
    expect(book.charge(session, 0, 5n)).toBe(5n)
  })
})

describe('a voucher', () => {
  const cases: [string, SentVoucher, string][] = [
    ['of another payer', voucher(0n, [[first, 9n]], { payer: node }), 'PayerDiffers'],
    ['by another key', voucher(0n, [[first, 9n]], { signature: node }), 'StreamReserveExceeded'],
    ['of another base', voucher(3n, [[first, 9n]]), 'StreamVoucherStale'],
    ['beyond the reserve', voucher(0n, [[first, 1_001n]]), 'StreamReserveExceeded'],
    ['without lines', voucher(0n, [[first, 1n]], { lines: '0x' }), 'StreamLinesMalformed'],
    [
      'with a line for nothing',
      voucher(0n, [
        [first, 9n],
        [first, 0n],
      ]),
      'StreamAmountZero',
    ],
    ['with another sum', voucher(0n, [[first, 9n]], { cumulative: 10n }), 'StreamLinesSum'],
    ['for a track that nobody sells', voucher(0n, [[subjectOf(node, 9n), 9n]]), 'TrackNotSold'],
    ['with a line that buys nothing', voucher(0n, [[first, 4n]]), 'LineTooSmall'],
  ]
  test.each(cases)('%s is refused, and changes nothing', (_, sent, fault) => {
    const { book, open, records } = openBook()
    const session = open(first)
    const before = records.length
    expect(faultOf(() => book.accept(session, sent))).toBe(fault)
    expect([records.length, book.channel(payer, key)?.last]).toEqual([before, undefined])
  })

  test('never takes back what a line had, and an older one changes nothing', () => {
    const { book, open } = openBook()
    const session = open(first)
    book.accept(
      session,
      voucher(0n, [
        [first, 10n],
        [second, 10n],
      ]),
    )
    expect(
      faultOf(() =>
        book.accept(
          session,
          voucher(0n, [
            [first, 5n],
            [second, 20n],
          ]),
        ),
      ),
    ).toBe('LineShrunk')
    book.accept(session, voucher(0n, [[first, 5n]]))
    expect(book.channel(payer, key)?.credits.get(session.track)).toBe(10n)
  })

  test('counts what is being released as gone, and stays redeemable', () => {
    const { book, open, chain } = openBook()
    const session = open(first)
    book.accept(session, voucher(0n, [[first, 600n]]))
    chain.releasing = 500n
    expect(faultOf(() => book.accept(session, voucher(0n, [[first, 601n]])))).toBe('StreamReserveExceeded')
    expect(book.charge(session, 0, 5n)).toBe(5n)
    expect(book.freeze(payer, key)).toMatchObject({ cumulative: 600n })
  })

  test('after the base that somebody else redeemed to is a new beginning', () => {
    const { book, open, chain } = openBook()
    const session = open(first)
    book.accept(session, voucher(0n, [[first, 50n]]))
    chain.settled = 80n
    expect(faultOf(() => book.accept(session, voucher(0n, [[first, 90n]])))).toBe('StreamVoucherStale')
    book.accept(session, voucher(80n, [[first, 5n]]))
    expect(book.channel(payer, key)?.credits.get(session.track)).toBe(5n)
  })

  test('with many lines is frozen, so that there is room for more', () => {
    const { book, open } = openBook()
    const session = open(first)
    const line = (amount: bigint): [Subject, bigint] => [first, amount]
    book.accept(
      session,
      voucher(
        0n,
        Array.from({ length: 47 }, () => line(5n)),
      ),
    )
    expect(book.channel(payer, key)?.frozen).toBeUndefined()
    book.accept(
      session,
      voucher(
        0n,
        Array.from({ length: 48 }, () => line(5n)),
      ),
    )
    expect(book.channel(payer, key)).toMatchObject({ base: 240n, frozen: { cumulative: 240n } })
    expect(book.channel(payer, key)?.credits.get(session.track)).toBe(240n)
  })
})

describe('sessions', () => {
  test('are bounded; those that pay nothing give way, the oldest first', () => {
    const { book, open, time } = openBook()
    const paying = open(first)
    book.accept(paying, voucher(0n, [[first, 50n]]))
    book.charge(paying, 0, 5n)
    const strangers = ['1', '2', '3', '4', '5', '6', '7'].map((digit) =>
      open(first, { payer: word(`1${digit}`) }),
    )
    expect(book.counts().sessions).toBe(6)
    expect(book.session(paying.token)).toBe(paying)
    expect(book.session(strangers[1]?.token ?? '')).toBeUndefined()
    expect(book.session(strangers[6]?.token ?? '')).toBe(strangers[6])
    const own = [open(first), open(first), open(first), open(first)]
    expect(book.session(own[0]?.token ?? '')).toBeUndefined()
    for (const session of own.slice(1)) book.charge(session, 0, 5n)
    expect(() => open(first)).toThrow('pays in all of them')
    time.now += 3_600_000
    expect(book.session(paying.token)).toBeUndefined()
    open(first, { payer: node })
    // The credit of whoever paid stays, without any session.
    expect(book.counts()).toEqual({ channels: 2, sessions: 1 })
  })
})

type Step =
  | { do: 'pay'; line: number; more: number; session: number }
  | { do: 'charge'; session: number; unit: number }
  | { do: 'open'; track: number }
  | { do: 'freeze' | 'settle' | 'restart' | 'compact' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('pay' as const),
      line: fc.nat(2),
      more: fc.integer({ min: -9, max: 40 }),
      session: fc.nat(3),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('charge' as const), session: fc.nat(3), unit: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('open' as const), track: fc.nat(2) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('freeze' as const, 'settle' as const, 'restart' as const, 'compact' as const),
    }),
  },
)

describe('a book', () => {
  test('says what a naive model says, through freezing, settling and restarts', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { book, chain, records, open, again } = openBook()
        const tokens = [open(first).token]
        // The model: all that was ever paid for a track, all that was charged for it, and how often units were given.
        const paid = [0n, 0n, 0n]
        const spent = [0n, 0n, 0n]
        const given = new Map<string, number>()
        let [lines, base, frozen]: [bigint[], bigint, bigint | undefined] = [[0n, 0n, 0n], 0n, undefined]
        const total = () => lines.reduce((sum, amount) => sum + amount, base)

        for (const one of steps) {
          const token = tokens['session' in one ? one.session % tokens.length : 0] ?? ''
          const session = book.session(token)
          if (session === undefined) throw new Error('a session is lost')
          const track = subjects.indexOf(session.subject)
          if (one.do === 'pay') {
            const next = lines.map((amount, place) => amount + BigInt(place === one.line ? one.more : 0))
            const amounts = next.flatMap((amount, place) =>
              amount > 0n ? [[subjects[place] ?? first, amount] as const] : [],
            )
            if (amounts.length === 0) continue
            const sent = voucher(base, amounts)
            const price = BigInt(5 + one.line)
            const isNew = lines[one.line] === 0n
            const buys = (paid[one.line] ?? 0n) + BigInt(one.more) - (spent[one.line] ?? 0n) >= price
            const isTaken = one.more > 0 && sent.cumulative <= 1_000n && (!isNew || buys)
            try {
              book.accept(session, sent)
              expect(isTaken || sent.cumulative <= total()).toBe(true)
            } catch (error) {
              if (!(error instanceof VoucherRefused)) throw error
              expect(isTaken).toBe(false)
            }
            if (!isTaken) continue
            lines = next
            paid[one.line] = (paid[one.line] ?? 0n) + BigInt(one.more)
          } else if (one.do === 'charge') {
            const price = BigInt(5 + track)
            const place = `${token} ${one.unit}`
            const times = given.get(place)
            const isRepeat = times !== undefined && times <= repeatsOfUnit
            const canPay = (paid[track] ?? 0n) - (spent[track] ?? 0n) >= price
            expect(book.isCovered(session, one.unit, price)).toBe(isRepeat || canPay)
            try {
              expect(book.charge(session, one.unit, price)).toBe(isRepeat ? 0n : price)
              expect(isRepeat || canPay).toBe(true)
              if (!isRepeat) spent[track] = (spent[track] ?? 0n) + price
              given.set(place, isRepeat ? times + 1 : 1)
            } catch (error) {
              if (!(error instanceof NotCovered)) throw error
              expect(isRepeat || canPay).toBe(false)
            }
          } else if (one.do === 'open') {
            if (tokens.length < 4) tokens.push(open(subjects[one.track] ?? first).token)
          } else if (one.do === 'freeze') {
            const voucher = book.freeze(payer, key)
            if (frozen === undefined && total() > base) {
              frozen = total()
              ;[lines, base] = [[0n, 0n, 0n], frozen]
            }
            expect(voucher?.cumulative).toBe(frozen)
          } else if (one.do === 'settle') {
            if (frozen === undefined) continue
            chain.settled = frozen
            book.settled(payer, key, frozen)
            frozen = undefined
          } else {
            // A restart at any time changes nothing but that repeats are counted anew.
            const copy = again(one.do === 'restart' ? records : book.snapshot())
            expect([...copy.snapshot()]).toEqual([...book.snapshot()])
          }
          for (const place of [0, 1, 2]) {
            expect((paid[place] ?? 0n) >= (spent[place] ?? 0n)).toBe(true)
            const credit =
              book.channel(payer, key)?.credits.get(subjectToBytes32(subjects[place] ?? first)) ?? 0n
            expect(credit).toBe((paid[place] ?? 0n) - (spent[place] ?? 0n))
          }
          expect(book.channel(payer, key)?.last?.cumulative ?? base).toBe(total())
        }
        expect([...again(records).snapshot()]).toEqual([...book.snapshot()])
        expect([...again(book.snapshot()).snapshot()]).toEqual([...book.snapshot()])
      }),
      { numRuns: 150 },
    )
  })
})

function faultOf(run: () => void): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof VoucherRefused) return error.fault
    throw error
  }
}
