import type { Address } from '@hexachord/protocol/names'
import { largestAmount, type SentVoucher } from '@hexachord/protocol/payments'
import { type Domain, digestOf, signerOf, signMessage, strictSignature } from '@hexachord/protocol/signing'
import vectors from '@hexachord/protocol/vectors/payments.json' with { type: 'json' }
import { describe, expect, test } from '@jest/globals'
import { SigningKey, Wallet } from 'ethers'
import fc from 'fast-check'
import { createVoucherSigners, loadNativeRecovery } from './index.ts'
import { createVoucherDigest } from './voucher-digest.ts'

const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value): `0x${string}` => `0x${Buffer.from(value).toString('hex')}`)
const amount = fc.bigInt({ min: 0n, max: largestAmount })
const domain = fc.record({
  name: fc.constant('Hexachord' as const),
  version: fc.constant('1' as const),
  chainId: fc.nat(),
  verifyingContract: hex(20),
})
const voucher = fc.record({
  payer: hex(20),
  node: hex(20),
  base: amount,
  cumulative: amount,
  lines: fc.uint8Array({ maxLength: 400 }),
})
const toHex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString('hex')}`
const { recover, signerOf: nativeSigner } = loadNativeRecovery()

describe('the digest of a voucher', () => {
  test.each(['voucher', 'sessionVoucher', 'edgeVoucher'] as const)(
    'is the published one: %s',
    async (name) => {
      const { message, digest } = vectors[name]
      const digestFor = await createVoucherDigest(vectors.domains.escrow as Domain, message.node as Address)
      const [base, cumulative] = [BigInt(message.base), BigInt(message.cumulative)]
      const fields = { payer: message.payer as Address, base, cumulative, lines: message.lines }
      expect(toHex(digestFor(fields))).toBe(digest)
    },
  )

  test('is the one that everybody else signs, one after the other', async () => {
    const vouchers = fc.array(voucher, { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(domain, vouchers, hex(20), async (some, all, node) => {
        const digest = await createVoucherDigest(some, node)
        for (const one of all) {
          const ours = toHex(digest({ ...one, lines: toHex(one.lines) }))
          expect(ours).toBe(digestOf(some, 'Voucher', { ...one, node }))
        }
      }),
    )
  })
})

describe('native recovery', () => {
  test('finds the signer that JavaScript finds', () => {
    const scalar = hex(32).filter((key) => BigInt(key) > 0n && BigInt(key) < 2n ** 255n)
    fc.assert(
      fc.property(scalar, hex(32), (key, digest) => {
        const signature = strictSignature(new SigningKey(key).sign(digest).serialized)
        const address = new Wallet(key).address.toLowerCase()
        expect(recover(digest, signature)).toBe(address)
        const [bytes, rs] = [digest, signature.r + signature.s.slice(2)].map((digits) =>
          Buffer.from(digits.slice(2), 'hex'),
        )
        if (bytes === undefined || rs === undefined) throw new Error('there are two')
        expect(toHex(nativeSigner(bytes, rs, signature.yParity))).toBe(address)
        const other = { ...signature, yParity: signature.yParity === 0 ? 1 : 0 } as const
        expect(recover(digest, other)).not.toBe(address)
      }),
      { numRuns: 20 },
    )
  })

  test('is an engine for all that is signed', async () => {
    const wallet = Wallet.createRandom()
    const escrow: Domain = {
      ...{ name: 'Hexachord', version: '1', chainId: 1 },
      verifyingContract: `0x${'ee'.repeat(20)}`,
    }
    const message = {
      payer: escrow.verifyingContract,
      node: escrow.verifyingContract,
      total: 5n,
      deadline: 9n,
    }
    const signature = await signMessage(wallet, escrow, 'Reserve', message)
    expect(signerOf(escrow, 'Reserve', message, signature, recover)).toBe(wallet.address.toLowerCase())
    expect(() => signerOf(escrow, 'Reserve', message, `0x${'00'.repeat(64)}1b`, recover)).toThrow(
      'no point on the curve',
    )
  })
})

describe('signers of vouchers', () => {
  const escrow: Domain = {
    ...{ name: 'Hexachord', version: '1', chainId: 31_337 },
    verifyingContract: `0x${'e5'.repeat(20)}`,
  }
  const node: Address = `0x${'0d'.repeat(20)}`
  const wallet = new Wallet(`0x${'11'.repeat(32)}`)
  const signer = wallet.address.toLowerCase()

  async function signed(cumulative: bigint): Promise<SentVoucher> {
    const voucher = { payer: node, base: 0n, cumulative }
    const signature = await signMessage(wallet, escrow, 'Voucher', {
      ...voucher,
      node,
      lines: new Uint8Array(64),
    })
    return { ...voucher, lines: `0x${'00'.repeat(64)}`, signature }
  }

  test.each([0, 1] as const)('are found by %d threads, each its own', async (threads) => {
    const signers = await createVoucherSigners({ domain: escrow, node, threads })
    const good = await Promise.all([1n, 2n, 3n].map(signed))
    const [first] = good
    if (first === undefined) throw new Error('no voucher')
    const bad = { ...first, signature: `${first.signature.slice(0, 130)}1d` }
    const noPoint = { ...first, signature: `0x${'f'.repeat(64)}${'1'.repeat(64)}1b` }
    const found = await Promise.allSettled(
      [...good, bad, { ...first, cumulative: 9n }, noPoint].map(signers.signerOf),
    )
    expect(found.slice(0, 3)).toEqual(good.map(() => ({ status: 'fulfilled', value: signer })))
    expect(found[3]).toMatchObject({ status: 'rejected', reason: { name: 'SignatureError' } })
    expect(found[4]).toMatchObject({ status: 'fulfilled', value: expect.not.stringMatching(signer) })
    expect(found[5]).toMatchObject({ status: 'rejected', reason: { name: 'SignatureError' } })
    expect(signers.isBusy()).toBe(false)
    const last = signers.signerOf(first)
    expect(signers.isBusy()).toBe(threads === 1)
    await signers.close()
    expect([await last, await signers.signerOf(first)]).toEqual([signer, signer])
  })
})
