import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { checkVoucher, packLines, type SentVoucher, VoucherError } from '@hexachord/protocol/payments'
import { type Domain, SignatureError, signerOf, signMessage } from '@hexachord/protocol/signing'
import { expect, test } from '@jest/globals'
import { hexlify, Wallet } from 'ethers'
import fc from 'fast-check'
import { newChannel } from './channel.ts'
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
          ...{ limit, priceOf: () => 0n },
          signer: signerOf(escrow, 'Voucher', message, signature),
        })
      })
      expect(ours).toBe(contract)
    }),
    { numRuns: 150 },
  )
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
