import { describe, expect, test } from '@jest/globals'
import { getBytes, recoverAddress, Wallet, ZeroAddress } from 'ethers'
import fc from 'fast-check'
import type { Address } from '../names/index.ts'
import { type Domain, digestOf, type Messages, signMessage } from '../signing/index.ts'
import { fromHex, keccak, readVector, toHex, word } from '../vectors/by-hand.ts'
import { examplePrivateKey } from '../vectors/index.ts'
import {
  checkTerms,
  checkVoucher,
  LinesError,
  largestAmount,
  packLines,
  shareOut,
  splitLine,
  TermsError,
  unpackLines,
  VoucherError,
} from './index.ts'

const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value) => `0x${Buffer.from(value).toString('hex')}` as Address)
const amount = fc.bigInt({ min: 0n, max: largestAmount })
const line = fc.record({ track: hex(32), curator: hex(20), amount })

describe('lines of a voucher', () => {
  test('come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 20 }), (lines) => {
        expect(unpackLines(packLines(lines))).toEqual(lines)
      }),
    )
  })

  test.each([0, 1, 63, 65, 127])('that are %d bytes are none', (length) => {
    expect(() => unpackLines(new Uint8Array(length))).toThrow(LinesError)
  })

  test('cannot be packed when there are none, or one is out of range', () => {
    const good = { track: `0x${'0a'.repeat(32)}`, curator: `0x${'0b'.repeat(20)}`, amount: 1n } as const
    expect(() => packLines([])).toThrow(LinesError)
    expect(() => packLines([{ ...good, amount: -1n }])).toThrow(LinesError)
    expect(() => packLines([{ ...good, amount: largestAmount + 1n }])).toThrow(LinesError)
    expect(() => packLines([{ ...good, curator: '0x0b' }])).toThrow(LinesError)
  })
})

describe('a split', () => {
  const bps = fc.integer({ min: 0, max: 5_000 })

  test('gives away a line to the last unit, and no more than was agreed', () => {
    fc.assert(
      fc.property(line, bps, bps, (some, nodeBps, curatorBps) => {
        const { node, curator, track } = splitLine(some, { nodeBps, curatorBps })
        expect(node + curator + track).toBe(some.amount)
        expect(node * 10_000n).toBeLessThanOrEqual(some.amount * BigInt(nodeBps))
        expect(curator * 10_000n).toBeLessThanOrEqual(some.amount * BigInt(curatorBps))
        expect(track).toBeGreaterThanOrEqual(0n)
      }),
    )
  })

  test('of what a track earned makes hardly a difference by how often it is made', () => {
    const shares = fc
      .array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 15 })
      .map((some) => [10_000 - some.reduce((sum, share) => sum + share, 0), ...some])
    const gainOf = fc.oneof(amount, fc.bigInt({ min: 0n, max: 40n }))
    fc.assert(
      fc.property(shares, fc.array(gainOf, { minLength: 1, maxLength: 10 }), (payeeBps, gains) => {
        let total = 0n
        const received = payeeBps.map(() => 0n)
        for (const gain of gains) {
          const amounts = shareOut(total + gain, total, payeeBps)
          expect(amounts.reduce((sum, one) => sum + one, 0n)).toBe(gain)
          for (const [index, one] of amounts.entries()) {
            expect(one).toBeGreaterThanOrEqual(0n)
            received[index] = (received[index] ?? 0n) + one
          }
          total += gain
        }
        for (const [index, [, bps]] of [...payeeBps.entries()].slice(1).entries()) {
          const lacking = (total * BigInt(bps)) / 10_000n - (received[index + 1] ?? 0n)
          expect(lacking >= 0n && lacking <= BigInt(gains.length)).toBe(true)
        }
      }),
    )
  })
})

describe('terms', () => {
  const good = {
    unitPrice: 0n,
    nodeBps: 500,
    curatorBps: 500,
    payees: [`0x${'0a'.repeat(20)}`, `0x${'0b'.repeat(20)}`] as Address[],
    payeeBps: [1, 9_999],
  }
  test('within bounds are good', () => expect(() => checkTerms(good)).not.toThrow())
  test.each([
    ['a node that gets too little', { nodeBps: 499 }, 'TrackNodeShareOutOfBounds'],
    ['a node that gets too much', { nodeBps: 4_001 }, 'TrackNodeShareOutOfBounds'],
    ['a curator that gets too much', { curatorBps: 501 }, 'TrackCuratorShareTooLarge'],
    ['nobody to pay', { payees: [], payeeBps: [] }, 'TrackPayeesMalformed'],
    ['a share too many', { payeeBps: [1, 9_998, 1] }, 'TrackPayeesMalformed'],
    ['a payee without an address', { payees: [good.payees[0], ZeroAddress] }, 'TrackPayeeEmpty'],
    ['a payee without a share', { payeeBps: [0, 10_000] }, 'TrackPayeeEmpty'],
    ['less than all shared out', { payeeBps: [1, 9_998] }, 'TrackSharesNotWhole'],
  ])('are refused with %s', (_, change, fault) => {
    const refusal = thrownBy(() => checkTerms({ ...good, ...(change as Partial<typeof good>) }))
    expect(refusal).toBeInstanceOf(TermsError)
    expect(refusal).toMatchObject({ fault })
  })
})

type MessageVector = {
  type: string
  message: Record<string, string | number | (string | number)[]>
  digest: string
  signature: string
}
type Vectors = {
  payer: Address
  sessionKey: Address
  domains: { escrow: Domain; tracks: Domain }
  lines: { lines: { track: string; curator: string; amount: string }[]; packed: string }[]
  splits: { amount: string; curator: string; nodeBps: number; curatorBps: number; parts: object }[]
  distributions: { payeeBps: number[]; totals: string[]; amounts: string[][] }[]
  refusedSignatures: Record<string, string>
  voucher: MessageVector
} & Record<(typeof signed)[number], MessageVector>
const signed = [
  ...(['terms', 'otherTerms', 'session', 'reserve', 'sessionReserve'] as const),
  ...(['voucher', 'sessionVoucher', 'edgeVoucher'] as const),
  ...(['opening', 'sessionOpening', 'offer', 'edgeOffer'] as const),
]
const vectors = await readVector<Vectors>('payments.json')

describe('payments, by hand', () => {
  test.each(signed)('%s', (name) => {
    const { type, message, digest, signature } = vectors[name]
    const domain = name.toLowerCase().endsWith('terms') ? vectors.domains.tracks : vectors.domains.escrow
    const separator = keccak(
      keccak(
        Buffer.from('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'),
      ),
      keccak(Buffer.from(domain.name)),
      keccak(Buffer.from(domain.version)),
      word(BigInt(domain.chainId)),
      word(BigInt(domain.verifyingContract)),
    )
    const fields = type.slice(type.indexOf('(') + 1, -1).split(',')
    const words = fields.map((field) => {
      const [fieldType = '', key = ''] = field.split(' ')
      const value = message[key] ?? ''
      if (Array.isArray(value)) return keccak(...value.map((one) => word(BigInt(one))))
      if (fieldType === 'string') return keccak(Buffer.from(String(value)))
      return fieldType === 'bytes' ? keccak(fromHex(String(value))) : word(BigInt(value))
    })
    const byHand = toHex(
      keccak(Buffer.from([0x19, 1]), separator, keccak(keccak(Buffer.from(type)), ...words)),
    )
    expect(byHand).toBe(digest)
    const signer = name.startsWith('session') && name !== 'session' ? vectors.sessionKey : vectors.payer
    expect(recoverAddress(byHand, signature).toLowerCase()).toBe(signer)
  })

  test.each(vectors.lines)('$packed', ({ lines, packed }) => {
    const byHand = lines.map(
      (one) => one.track.slice(2) + one.curator.slice(2) + BigInt(one.amount).toString(16).padStart(24, '0'),
    )
    expect(`0x${byHand.join('')}`).toBe(packed)
  })

  test.each(vectors.splits)('a split of $amount for $curator', (split) => {
    const whole = BigInt(split.amount)
    const node = (whole * BigInt(split.nodeBps)) / 10_000n
    const curator = BigInt(split.curator) === 0n ? 0n : (whole * BigInt(split.curatorBps)) / 10_000n
    const parts = { node: `${node}`, curator: `${curator}`, track: `${whole - node - curator}` }
    expect(split.parts).toEqual(parts)
  })

  test.each(vectors.distributions)('a distribution by $payeeBps', ({ payeeBps, totals, amounts }) => {
    for (const [step, text] of totals.entries()) {
      const [total, before] = [BigInt(text), BigInt(totals[step - 1] ?? 0)]
      let left = total - before
      for (const [index, bps] of payeeBps.entries()) {
        if (index === 0) continue
        const due = (total * BigInt(bps)) / 10_000n - (before * BigInt(bps)) / 10_000n
        expect(amounts[step]?.[index]).toBe(String(due < left ? due : left))
        left -= due < left ? due : left
      }
      expect(amounts[step]?.[0]).toBe(String(left))
    }
  })
})

describe('a voucher', () => {
  const wallet = new Wallet(examplePrivateKey)
  const key = wallet.address.toLowerCase() as Address
  const { escrow } = vectors.domains
  const voucher: Messages['Voucher'] = {
    payer: key,
    node: `0x${'0a'.repeat(20)}`,
    base: 40n,
    cumulative: 100n,
    lines: packLines([
      { track: `0x${'01'.repeat(32)}`, curator: `0x${'0b'.repeat(20)}`, amount: 50n },
      { track: `0x${'02'.repeat(32)}`, curator: `0x${'00'.repeat(20)}`, amount: 10n },
    ]),
  }
  const channel = { key, limit: 100n, settled: 40n }

  test('that the contract would redeem is accepted, and gives its lines', async () => {
    const signature = await signMessage(wallet, escrow, 'Voucher', voucher)
    expect(checkVoucher(escrow, voucher, signature, channel)).toEqual(unpackLines(voucher.lines))
  })

  const wrong: [string, Partial<Messages['Voucher']>, Partial<typeof channel>, string][] = [
    ['more than is reserved', {}, { limit: 99n }, 'StreamReserveExceeded'],
    ['an old base', {}, { settled: 41n }, 'StreamVoucherStale'],
    ['a base that is still to come', {}, { settled: 39n }, 'StreamVoucherStale'],
    ['lines that are too little', { cumulative: 101n }, { limit: 200n }, 'StreamLinesSum'],
    ['lines that are too much', { cumulative: 99n }, {}, 'StreamLinesSum'],
    ['half a line', { lines: voucher.lines.subarray(1) }, {}, 'StreamLinesMalformed'],
    ['no lines', { lines: new Uint8Array() }, {}, 'StreamLinesMalformed'],
    ['a line for nothing', { lines: new Uint8Array(64), cumulative: 40n }, {}, 'StreamAmountZero'],
    ['the key of another channel', {}, { key: voucher.node }, 'StreamReserveExceeded'],
  ]
  test.each(wrong)('is refused with %s', async (_, change, state, fault) => {
    const signedVoucher = { ...voucher, ...change }
    const signature = await signMessage(wallet, escrow, 'Voucher', signedVoucher)
    expect(faultOf(signedVoucher, signature, { ...channel, ...state })).toBe(fault)
  })

  test('is refused for another node, contract or chain, or with more in it than was signed', async () => {
    const signature = await signMessage(wallet, escrow, 'Voucher', voucher)
    const rich = { ...channel, limit: largestAmount }
    expect(faultOf({ ...voucher, node: key }, signature, rich)).toBe('StreamReserveExceeded')
    expect(faultOf({ ...voucher, cumulative: 101n }, signature, rich)).toBe('StreamReserveExceeded')
    for (const domain of [vectors.domains.tracks, { ...escrow, chainId: 1 }]) {
      expect(faultOf(voucher, signature, rich, domain)).toBe('StreamReserveExceeded')
    }
  })

  test.each(Object.entries(vectors.refusedSignatures))('is refused with a signature %s', (_, signature) => {
    const { lines, ...message } = vectors.voucher.message
    const published = { ...message, base: 0n, cumulative: 4_027n, lines: getBytes(String(lines)) }
    const state = { key: vectors.payer, limit: 4_027n, settled: 0n }
    expect(faultOf(published as Messages['Voucher'], signature, state)).toBe('ECDSAInvalidSignature')
  })

  test('is checked by the engine that is passed in, after its form', async () => {
    const signature = await signMessage(wallet, escrow, 'Voucher', voucher)
    const asked: unknown[] = []
    const recover = (...args: unknown[]) => {
      asked.push(args)
      return key
    }
    checkVoucher(escrow, voucher, signature, channel, recover)
    const yParity = signature.endsWith('1b') ? 0 : 1
    const [r, s] = [signature.slice(0, 66), `0x${signature.slice(66, 130)}`]
    expect(asked).toEqual([[digestOf(escrow, 'Voucher', voucher), { r, s, yParity }]])
    expect(faultOf(voucher, `${signature.slice(0, 130)}1d`, channel)).toBe('ECDSAInvalidSignature')
    expect(asked).toHaveLength(1)
  })

  function faultOf(
    some: Messages['Voucher'],
    signature: string,
    state: typeof channel,
    domain: Domain = escrow,
  ): unknown {
    const refusal = thrownBy(() => checkVoucher(domain, some, signature, state))
    expect(refusal).toBeInstanceOf(VoucherError)
    return refusal instanceof VoucherError ? refusal.fault : undefined
  }
})

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
