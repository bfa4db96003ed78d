import { type Address, type Hash, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import {
  type Line,
  packLines,
  paymentDomains,
  type SentVoucher,
  tillJson,
} from '@hexachord/protocol/payments'
import { signMessage } from '@hexachord/protocol/signing'
import { describe, expect, test } from '@jest/globals'
import { hexlify } from 'ethers'
import fc from 'fast-check'
import { account, listener, paymentsNetwork } from '../fixtures/index.ts'
import { adoptReport } from './channel-report.ts'
import {
  borrowedIn,
  budgetLeft,
  channelWith,
  emptyState,
  type PurseState,
  pay,
  purseStateSchema,
  sumOf,
  withBorrowed,
  withChannel,
  withReleased,
} from './purse-state.ts'

const node: Address = '0xffeeddccbbaa99887766554433221100ffeeddcc'
const { escrow: domain } = paymentDomains(paymentsNetwork)
const party = { domain, node, spender: { payer: listener.address, key: listener } } as const
const tracks: Hash[] = [1n, 2n, 3n].map((number) => subjectToBytes32(subjectOf(account.address, number)))
const nobody = `0x${'00'.repeat(20)}` as const

const payment = fc.record({
  do: fc.constant('pay' as const),
  track: fc.nat(2),
  amount: fc.bigInt(1n, 1_000n),
  laterMs: fc.nat(3_000_000),
})
/** What tills can do: freeze some voucher that they got, show an old one, or make something up. */
const move = fc.record({
  do: fc.constantFrom('freeze' as const, 'old' as const, 'invent' as const),
  pick: fc.nat(),
  mined: fc.boolean(),
})
const history = fc.array(fc.oneof({ weight: 3, arbitrary: payment }, move), { maxLength: 25 })
const limits = { perHour: 4_000n, perMonth: 9_000n }

describe('a purse, whatever its node answers', () => {
  test('signs totals that never fall, lines that add up, and nothing beyond its budget', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        let state = emptyState(limits)
        let nowMs = Date.UTC(2026, 10, 29)
        const signed: SentVoucher[] = []
        const paid = new Map<string, bigint>()
        for (const step of steps) {
          const before = channelWith(state, node)
          if (step.do === 'pay') {
            nowMs += step.laterMs
            const line = { track: tracks[step.track] ?? '0x', curator: nobody, amount: step.amount } as const
            const left = budgetLeft(state, nowMs) ?? 0n
            try {
              state = pay(state, { ...line, node, nowMs })
            } catch (error) {
              expect(error).toMatchObject({ name: 'PaymentNeeded', lack: 'budget' })
              expect(step.amount).toBeGreaterThan(left)
              continue
            }
            const hour = new Date(nowMs).toISOString().slice(0, 13)
            paid.set(hour, (paid.get(hour) ?? 0n) + step.amount)
            signed.push(await sign(state))
          } else {
            const shown = signed[step.pick % signed.length] ?? null
            const isFreeze = step.do === 'freeze' && shown !== null
            const base = isFreeze ? shown.cumulative : step.do === 'invent' ? BigInt(step.pick) : before.base
            const frozen = isFreeze && !step.mined ? shown : null
            const report = {
              payer: listener.address,
              key: listener.address,
              node,
              reserved: 0n,
              released: 0n,
              awaited: 0n,
            }
            try {
              const last = step.do === 'old' ? shown : null
              const after = adoptReport(before, { ...report, base, frozen, last } as const, party)
              state = withChannel(state, node, after)
            } catch (error) {
              expect(error).toMatchObject({ name: 'NodeRefused' })
            }
          }
          const now = channelWith(state, node)
          expect(now.cumulative).toBe(now.base + sumOf(now.lines))
          expect(now.base).toBeGreaterThanOrEqual(before.base)
          expect(now.cumulative).toBeGreaterThanOrEqual(before.cumulative)
          if (now.base === before.base) expect(isCovered(before.lines, now.lines)).toBe(true)
        }
        for (const amount of paid.values()) expect(amount).toBeLessThanOrEqual(limits.perHour)
        const total = [...paid.values()].reduce((sum, amount) => sum + amount, 0n)
        expect(total).toBeLessThanOrEqual(limits.perMonth)
        expect(channelWith(state, node).cumulative).toBeLessThanOrEqual(total)
      }),
      { numRuns: 40 },
    )
  })

  test('goes on from what was written down', () => {
    const state = pay(emptyState(limits), {
      ...{ node, track: tracks[0] ?? '0x', curator: nobody, amount: 7n, nowMs: 0 },
    })
    expect(purseStateSchema.parse(JSON.parse(tillJson(state)))).toEqual(state)
  })

  test('forgets after a while what plays have used of each other’s, and owes nothing for what is given back', () => {
    const channel = withBorrowed(withBorrowed(channelWith(emptyState(), node), 5n, 1_000), -2n, 2_000)
    expect([borrowedIn(channel, 61_999), borrowedIn(channel, 62_000)]).toEqual([3n, 0n])
    expect(borrowedIn(withBorrowed(channel, 4n, 70_000), 70_000)).toBe(4n)
    expect(borrowedIn(withBorrowed(channel, -9n, 3_000), 3_000)).toBe(0n)
    // As it was written before there was such a thing.
    const { borrowed: _, ...old } = channel
    const kept = { ...emptyState(), channels: { [node]: old } }
    expect(channelWith(purseStateSchema.parse(JSON.parse(tillJson(kept))), node)).toMatchObject({
      borrowed: { amount: 0n },
    })
  })

  test('takes no line more than a voucher has', () => {
    let state = emptyState()
    const payFor = (number: number) => {
      const track = subjectToBytes32(subjectOf(account.address, BigInt(number)))
      return pay(state, { node, track, curator: nobody, amount: 1n, nowMs: 0 })
    }
    for (let number = 1; number <= 64; number++) state = payFor(number)
    expect(() => payFor(65)).toThrow(RangeError)
    expect(channelWith(payFor(64), node).lines).toHaveLength(64)
  })

  test('makes room for one more node by forgetting one that holds nothing, and no other', () => {
    const nodeOf = (number: number): Address => `0x${number.toString(16).padStart(40, '0')}`
    const channel = { ...channelWith(emptyState(), node), base: 5n, cumulative: 5n, reserved: 600n }
    let state = { ...emptyState(), homes: [nodeOf(1)] }
    for (let number = 1; number <= 64; number += 1) state = withChannel(state, nodeOf(number), channel)
    expect(() => withChannel(state, node, channel)).toThrow('release what some hold')
    for (const number of [1, 2, 3]) state = withReleased(state, nodeOf(number), 595n)
    const owing = {
      ...channelWith(state, nodeOf(2)),
      lines: [{ track: tracks[0] ?? '0x', curator: nobody, amount: 5n }],
    }
    state = withChannel(state, nodeOf(2), { ...owing, base: 0n })
    const next = withChannel(state, node, channel)
    // The first is a home, and of the second something is yet to be settled.
    const forgotten = Object.keys(state.channels).filter((one) => !Object.hasOwn(next.channels, one))
    expect(forgotten).toEqual([nodeOf(3)])
    expect(Object.keys(next.channels)).toHaveLength(64)
  })

  test('opens no new hour when the clock is set back', () => {
    const at = Date.UTC(2026, 10, 29, 12)
    const line = { node, track: tracks[0] ?? '0x', curator: nobody, amount: 4_000n } as const
    const state = pay(emptyState(limits), { ...line, nowMs: at })
    expect(budgetLeft(state, at - 7_200_000)).toBe(0n)
    expect(budgetLeft(state, at + 3_600_000)).toBe(4_000n)
    expect(budgetLeft(emptyState(), at)).toBeNull()
  })
})

async function sign(state: PurseState): Promise<SentVoucher> {
  const { base, cumulative, lines } = channelWith(state, node)
  const message = { payer: listener.address, node, base, cumulative, lines: packLines(lines) } as const
  const signature = await signMessage(listener.signer, domain, 'Voucher', message)
  return { payer: listener.address, base, cumulative, lines: hexlify(message.lines), signature }
}

function isCovered(before: readonly Line[], now: readonly Line[]): boolean {
  return before.every(({ track, amount }) =>
    now.some((line) => line.track === track && line.amount >= amount),
  )
}
