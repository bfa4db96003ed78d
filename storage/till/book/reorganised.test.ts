import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { packLines, type SentVoucher } from '@hexachord/protocol/payments'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type BookRecord, createBook } from './index.ts'

const payer: Address = `0x${'0a'.repeat(20)}`
const nobody: Address = `0x${'00'.repeat(20)}`
const subject = subjectOf(`0x${'0d'.repeat(20)}`, 1n)
const track = subjectToBytes32(subject)

/** A book with one listener of one track, and a chain that can lose what is not final. */
function openBook(reserved: bigint) {
  const zero = { reserved: 0n, released: 0n, releasing: 0n, settled: 0n }
  const [seen, final] = [{ ...zero, reserved }, zero]
  const records: BookRecord[] = []
  const make = () =>
    createBook({
      view: {
        termsOf: () => ({ unitPrice: 10n, nodeBps: 1_500, curatorBps: 0, version: 1 }),
        channel: () => seen,
        finalChannel: () => final,
      },
      ...{ leastNodeBps: 0, now: () => 0, limits: { sessions: 9, sessionsOfChannel: 9 }, mostChannels: 9 },
      write: (record) => records.push(structuredClone(record)),
    })
  const book = make()
  const session = book.open({
    ...{ token: 'token', opening: '0x01', payer, key: payer, subject, curator: nobody },
    ...{ manifest: 'bafy', units: 100, expiresAt: 1 },
  })
  const channel = session.channel
  const pay = (to: bigint) => {
    const lines = packLines([{ track, curator: nobody, amount: to - channel.base }])
    const voucher: SentVoucher = {
      ...{ payer, base: channel.base, cumulative: to, signature: '0x' },
      lines: `0x${Buffer.from(lines).toString('hex')}`,
    }
    book.accept(session, voucher, payer)
  }
  return {
    ...{ book, channel, seen, final, pay },
    finalize: () => Object.assign(final, seen),
    reorganise: () => Object.assign(seen, final),
    freeze: () => book.freeze(payer, payer)?.cumulative,
    fallBack: () => book.fallBack(payer, payer),
    /** What a redemption of the frozen voucher does once it is final. */
    settle(amount: bigint) {
      Object.assign(seen, { settled: amount })
      Object.assign(final, { settled: amount })
      book.settled(payer, payer, amount)
    },
    /** The same book after a restart, from all records and from a snapshot. */
    again: () =>
      [records.slice(), [...book.snapshot()]].map((from) => {
        const copy = make()
        for (const record of from) copy.apply(JSON.parse(JSON.stringify(record)))
        return [...copy.snapshot()]
      }),
  }
}

describe('a reorganisation that takes a raised reserve away', () => {
  test('leaves what the reserve before it covered', () => {
    const { pay, seen, finalize, reorganise, freeze, channel } = openBook(1_000n)
    finalize()
    pay(1_000n)
    seen.reserved = 1_100n
    pay(1_050n)
    pay(1_100n)
    reorganise()
    expect(freeze()).toBe(1_000n)
    expect(channel.credits.get(track)).toBe(1_000n)
  })

  test('leaves it when the voucher beyond was frozen already, and what follows that is void', () => {
    const { pay, seen, finalize, reorganise, freeze, fallBack, settle, channel, again, book } =
      openBook(1_000n)
    finalize()
    pay(900n)
    seen.reserved = 1_200n
    pay(1_100n)
    expect(freeze()).toBe(1_100n)
    pay(1_150n)
    fallBack()
    expect(channel).toMatchObject({ base: 1_100n, frozen: [{ cumulative: 1_100n }] })
    reorganise()
    fallBack()
    expect(channel).toMatchObject({ base: 900n, last: undefined, frozen: [{ base: 0n, cumulative: 900n }] })
    expect(channel.credits.get(track)).toBe(900n)
    for (const copy of again()) expect(copy).toEqual([...book.snapshot()])
    settle(900n)
    pay(1_000n)
    expect(freeze()).toBe(1_000n)
  })

  test('leaves, of several that are frozen, those that it does not touch', () => {
    const { pay, seen, finalize, reorganise, freeze, fallBack, channel, again, book } = openBook(1_000n)
    finalize()
    pay(400n)
    expect(freeze()).toBe(400n)
    pay(900n)
    seen.reserved = 1_200n
    pay(1_100n)
    expect(freeze()).toBe(1_100n)
    pay(1_150n)
    expect(freeze()).toBe(1_150n)
    pay(1_160n)
    reorganise()
    fallBack()
    expect(channel).toMatchObject({ base: 900n, last: undefined })
    expect(channel.frozen.map(({ base, cumulative }) => [base, cumulative])).toEqual([
      [0n, 400n],
      [400n, 900n],
    ])
    expect(channel.credits.get(track)).toBe(900n)
    for (const copy of again()) expect(copy).toEqual([...book.snapshot()])
  })

  test('leaves what was covered by a reserve that became final in between', () => {
    const { pay, seen, finalize, reorganise, freeze, again, book } = openBook(100n)
    finalize()
    pay(100n)
    seen.reserved = 200n
    pay(200n)
    finalize()
    seen.reserved = 300n
    pay(300n)
    for (const copy of again()) expect(copy).toEqual([...book.snapshot()])
    reorganise()
    expect(freeze()).toBe(200n)
  })

  test('takes nothing where the chain has the raised reserve again, or still', () => {
    const { pay, seen, finalize, reorganise, freeze } = openBook(1_000n)
    finalize()
    pay(1_000n)
    seen.reserved = 1_100n
    pay(1_100n)
    reorganise()
    seen.reserved = 1_100n
    expect(freeze()).toBe(1_100n)
  })
})

test('records and snapshots from before vouchers beyond a final reserve were told apart are read as they were', () => {
  const { book, channel } = openBook(1_000n)
  const voucher = (cumulative: bigint) => ({
    ...{ base: '0', cumulative: String(cumulative), signature: '0x' },
    lines: `0x${Buffer.from(packLines([{ track, curator: nobody, amount: cumulative }])).toString('hex')}`,
  })
  const of = { payer, key: payer }
  book.apply({ do: 'pay', ...of, ...voucher(100n), kept: 0, beyond: false })
  book.apply({ do: 'pay', ...of, ...voucher(200n), kept: 0, beyond: true })
  book.apply({ do: 'pay', ...of, ...voucher(300n), kept: 0, beyond: true })
  expect(channel).toMatchObject({ sure: { cumulative: 100n }, last: { cumulative: 300n } })
  book.apply({
    ...{ do: 'channel', ...of, base: '100', last: null, sure: null, frozen: voucher(100n) },
    ...{ credits: [], awaited: null },
  })
  expect(book.channel(payer, payer)).toMatchObject({ frozen: [{ cumulative: 100n, instead: undefined }] })
})

type Step = { do: 'pay' | 'raise' | 'finalize' | 'reorganise' | 'freeze' | 'settle' | 'restart'; by: number }

test('through any history, what a final reserve covered when it was paid, or when more was paid, is redeemed', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    do: fc.constantFrom(
      ...(['pay', 'pay', 'pay', 'raise', 'raise', 'finalize', 'reorganise'] as const),
      ...(['freeze', 'settle', 'restart'] as const),
    ),
    by: fc.integer({ min: 10, max: 200 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const opened = openBook(500n)
      const { book, channel, seen, final, finalize, reorganise, pay, freeze, fallBack, settle } = opened
      let covered = 0n
      const newest = () => channel.last?.cumulative ?? channel.base
      for (const one of steps) {
        const frozen = channel.frozen.findLast(({ cumulative }) => cumulative <= final.reserved)?.cumulative
        if (one.do === 'raise') seen.reserved += BigInt(one.by)
        else if (one.do === 'finalize') finalize()
        else if (one.do === 'reorganise') {
          reorganise()
          fallBack()
        } else if (one.do === 'freeze') freeze()
        else if (one.do === 'settle' && frozen !== undefined) settle(frozen)
        else if (one.do === 'restart') {
          for (const copy of opened.again()) expect(copy).toEqual([...book.snapshot()])
        } else if (one.do === 'pay' && newest() + BigInt(one.by) <= seen.reserved) {
          if (newest() <= final.reserved && newest() > covered) covered = newest()
          pay(newest() + BigInt(one.by))
          if (newest() <= final.reserved) covered = newest()
        }
      }
      reorganise()
      fallBack()
      for (let round = 0; round < 2; round += 1) {
        freeze()
        const frozen = channel.frozen.findLast(({ cumulative }) => cumulative <= seen.reserved)
        if (frozen !== undefined) settle(frozen.cumulative)
      }
      expect(seen.settled).toBeGreaterThanOrEqual(covered)
    }),
    { numRuns: 400 },
  )
})
