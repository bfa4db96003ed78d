import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { checkVoucher, packLines, type SentVoucher, VoucherError } from '@hexachord/protocol/payments'
import { type Domain, SignatureError, signerOf, signMessage } from '@hexachord/protocol/signing'
import { describe, expect, test } from '@jest/globals'
import { hexlify, Wallet } from 'ethers'
import fc from 'fast-check'
import { addCredit, applyFreeze, applyPayment, newChannel } from './channel.ts'
import { judgeVoucher } from './judge-voucher.ts'
import { VoucherRefused } from './vouchers.ts'

const [escrow, other] = ['e5', '7e'].map(
  (digits): Domain => ({
    ...{ name: 'Hexachord', version: '1', chainId: 31_337 },
    verifyingContract: `0x${digits.repeat(20)}`,
  }),
) as [Domain, Domain]
const node: Address = `0x${'0d'.repeat(20)}`
const [wallet, stranger] = [new Wallet(`0x${'11'.repeat(32)}`), new Wallet(`0x${'22'.repeat(32)}`)]
const payer = wallet.address.toLowerCase() as Address

const small = fc.bigInt({ min: 0n, max: 4n })
const sent = fc.record({
  base: fc.constantFrom(5n, 5n, 5n, 6n),
  lines: fc.array(fc.record({ number: small, curator: fc.constantFrom('00', '0c'), amount: small }), {
    maxLength: 3,
  }),
  tooMuch: fc.constantFrom(0n, 0n, 0n, 1n, -1n),
  domain: fc.constantFrom(escrow, escrow, escrow, other),
  by: fc.constantFrom(wallet, wallet, wallet, stranger),
  v: fc.constantFrom('', '', '', '1d', '00'),
})

test('the first voucher of a channel is taken just when the contract would redeem it', async () => {
  await fc.assert(
    fc.asyncProperty(sent, fc.bigInt({ min: 5n, max: 14n }), async (some, limit) => {
      const lines = some.lines.map(({ number, curator, amount }) => ({
        ...{ track: subjectToBytes32(subjectOf(node, number)), amount },
        curator: `0x${curator.repeat(20)}` as Address,
      }))
      const packed = lines.length === 0 ? new Uint8Array() : packLines(lines)
      const cumulative = lines.reduce((sum, { amount }) => sum + amount, some.base + some.tooMuch)
      const message = {
        payer,
        node,
        base: some.base,
        cumulative: cumulative < 0n ? 0n : cumulative,
        lines: packed,
      }
      const signed = await signMessage(some.by, some.domain, 'Voucher', message)
      const signature = some.v === '' ? signed : signed.slice(0, 130) + some.v
      const voucher: SentVoucher = { ...message, lines: hexlify(packed), signature }

      const contract = outcome(() => {
        checkVoucher(escrow, message, signature, { key: payer, limit, settled: 5n })
      })
      const ours = outcome(() => {
        judgeVoucher(newChannel(payer, payer, 5n), voucher, {
          ...{ limit, priceOf: () => 1n },
          signer: signerOf(escrow, 'Voucher', message, signature),
        })
      })
      const places = new Set(some.lines.map(({ number, curator }) => `${number} ${curator}`))
      expect(ours).toBe(contract && places.size === lines.length)
    }),
    { numRuns: 150 },
  )
})

describe('a line', () => {
  const price = 100n
  const step = fc.oneof(
    // Several at once: by how much lines grow, and what new ones bring.
    {
      arbitrary: fc.array(fc.tuple(fc.nat({ max: 5 }), fc.bigInt({ min: 1n, max: 210n })), {
        minLength: 1,
        maxLength: 4,
      }),
      weight: 3,
    },
    { arbitrary: fc.constantFrom('charge' as const, 'freeze' as const), weight: 2 },
  )

  test('is never new but for a unit that is paid and was not before, whatever curators are named', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const channel = newChannel(payer, payer, 0n)
        let [lines, paid] = [new Map<number, bigint>(), 0n]
        for (const one of steps) {
          const credit = channel.credits.get(track) ?? 0n
          if (one === 'charge') {
            if (credit >= price) addCredit(channel, track, -price)
          } else if (one === 'freeze') {
            applyFreeze(channel, { do: 'freeze', payer, key: payer, which: 'last' })
            lines = new Map()
          } else {
            const next = new Map(lines)
            for (const [curator, more] of one) next.set(curator, (next.get(curator) ?? 0n) + more)
            const sent = voucherOf(channel.base, next)
            if (!outcome(() => judgeVoucher(channel, sent, judgement))) continue
            paid += sent.cumulative - (channel.last?.cumulative ?? channel.base)
            applyPayment(channel, recordOf(sent))
            lines = next
          }
          const places = [...channel.frozen, ...(channel.last ? [channel.last] : [])]
          expect(
            BigInt(places.reduce((sum, voucher) => sum + voucher.lines.size, 0)) * price,
          ).toBeLessThanOrEqual(paid)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('may bring what is missing to a unit, such as after a change of the price, but for one line only', () => {
    const channel = newChannel(payer, payer, 0n)
    addCredit(channel, track, 150n)
    const takes = (...amounts: bigint[]) =>
      outcome(() => judgeVoucher(channel, voucherOf(0n, new Map(amounts.entries())), judgement))
    expect([takes(49n), takes(50n), takes(50n, 99n), takes(50n, 100n)]).toEqual([false, true, false, true])
    addCredit(channel, track, -200n)
    expect([takes(149n), takes(150n), takes(100n, 100n)]).toEqual([false, true, true])
  })

  const track = subjectToBytes32(subjectOf(node, 1n))
  const judgement = { limit: 10n ** 9n, priceOf: () => price, signer: payer }

  function voucherOf(base: bigint, lines: ReadonlyMap<number, bigint>): SentVoucher {
    const packed = packLines(
      [...lines].map(([curator, amount]) => ({
        ...{ track, amount },
        curator: `0x${curator.toString(16).padStart(40, '0')}` as const,
      })),
    )
    const cumulative = [...lines.values()].reduce((sum, amount) => sum + amount, base)
    return { payer, base, cumulative, lines: hexlify(packed) as `0x${string}`, signature: '0x' }
  }

  function recordOf({ cumulative, lines }: SentVoucher) {
    return {
      ...{ do: 'pay' as const, payer, key: payer, kept: 0, lines, signature: '0x' },
      ...{ cumulative: String(cumulative), beyond: false },
    }
  }
})

function outcome(run: () => void): boolean {
  try {
    run()
    return true
  } catch (error) {
    const isRefusal = [VoucherRefused, VoucherError, SignatureError].some((kind) => error instanceof kind)
    if (!isRefusal) throw error
    return false
  }
}
