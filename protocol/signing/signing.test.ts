import { describe, expect, test } from '@jest/globals'
import { Signature, TypedDataEncoder, type TypedDataField, Wallet } from 'ethers'
import fc from 'fast-check'
import type { Address } from '../names/index.ts'
import { examplePrivateKey } from '../vectors/index.ts'
import {
  type Domain,
  digestOf,
  domainOf,
  type MessageName,
  type Messages,
  messageTypes,
  SignatureError,
  signerOf,
  signMessage,
} from './index.ts'

const wallet = new Wallet(examplePrivateKey)
const signer = wallet.address.toLowerCase()
const domain = domainOf({
  chainId: 31_337,
  contracts: { catalog: '0x5FbDB2315678afecb367f032d93F642f64180aa3' },
})
const message: Messages['Token'] = {
  account: '0x00112233445566778899aabbccddeeff00112233',
  audience: 'https://node.example',
  expiresAt: 1_800_000_000_000,
}
const signature = await signMessage(wallet, domain, 'Token', message)
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

describe('a signature', () => {
  test('gives away its signer', () => {
    expect(signerOf(domain, 'Token', message, signature)).toBe(signer)
    expect(signerOf(domain, 'Token', message, `0x${signature.slice(2).toUpperCase()}`)).toBe(signer)
  })

  test('is for one message, one type and one network', () => {
    const others: [Domain, Messages['Token']][] = [
      [{ ...domain, chainId: 1 }, message],
      [{ ...domain, verifyingContract: signer as Address }, message],
      [domain, { ...message, account: signer as Address }],
      [domain, { ...message, audience: 'https://node.example/' }],
      [domain, { ...message, expiresAt: message.expiresAt + 1 }],
    ]
    for (const [otherDomain, otherMessage] of others) {
      expect(signerOf(otherDomain, 'Token', otherMessage, signature)).not.toBe(signer)
    }
    const nodeToken = { ...message, method: 'GET', path: '/' }
    expect(signerOf(domain, 'NodeToken', nodeToken, signature)).not.toBe(signer)
  })

  test('of a field that is not signed does not exist: every field changes the digest', () => {
    const offer: Messages['Offer'] = {
      operator: message.account,
      to: message.account,
      subject: `0x${'00'.repeat(32)}`,
      source: '',
      byteLimit: 0n,
      expiresAt: 0,
    }
    const changes: Partial<Messages['Offer']>[] = [
      { operator: signer as Address },
      { to: signer as Address },
      { subject: `0x${'01'.repeat(32)}` },
      { source: '/' },
      { byteLimit: 1n },
      { expiresAt: 1 },
    ]
    expect(changes).toHaveLength(messageTypes.Offer.length)
    const digests = [{}, ...changes].map((change) => digestOf(domain, 'Offer', { ...offer, ...change }))
    expect(new Set(digests).size).toBe(changes.length + 1)
  })

  test('with any bit flipped is refused or somebody else’s', () => {
    fc.assert(
      fc.property(fc.nat(65 * 8 - 1), (place) => {
        const bytes = Buffer.from(signature.slice(2), 'hex')
        bytes.writeUInt8(bytes.readUInt8(place >> 3) ^ (1 << (place & 7)), place >> 3)
        expect(signerOrRefusal(`0x${bytes.toString('hex')}`)).not.toBe(signer)
      }),
    )
  })

  test.each([
    ['half as long (EIP-2098)', Signature.from(signature).compactSerialized],
    ['with v as 0 or 1', signature.replace(/1[bc]$/, (v) => (v === '1b' ? '00' : '01'))],
    ['with the upper s of the same point', flipped()],
    ['with an s just above half of the order', withS(order / 2n + 1n)],
    ['with an s of zero', withS(0n)],
    ['with an r of zero', `0x${'0'.repeat(64)}${signature.slice(66)}`],
    ['with an r that is on no point', `0x${'0'.repeat(63)}5${signature.slice(66)}`],
    ['with an r beyond the order', `0x${'f'.repeat(64)}${signature.slice(66)}`],
    ['without 0x', signature.slice(2)],
    ['with something after it', `${signature}00`],
    ['with a line end', `${signature}\n`],
    ['empty', ''],
  ])('is refused when it is %s', (_, malformed) => {
    expect(() => signerOf(domain, 'Token', message, malformed)).toThrow(SignatureError)
  })

  function flipped(): string {
    const { s, yParity } = Signature.from(signature)
    return withS(order - BigInt(s), yParity === 0 ? '1c' : '1b')
  }

  function withS(s: bigint, v = signature.slice(-2)): string {
    return `${signature.slice(0, 66)}${s.toString(16).padStart(64, '0')}${v}`
  }

  function signerOrRefusal(text: string): string {
    try {
      return signerOf(domain, 'Token', message, text)
    } catch (error) {
      expect(error).toBeInstanceOf(SignatureError)
      return 'refused'
    }
  }
})

const words: { [type: string]: fc.Arbitrary<unknown> } = {
  address: fc.uint8Array({ minLength: 20, maxLength: 20 }).map(hexOf),
  bytes32: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hexOf),
  bytes: fc.uint8Array({ maxLength: 300 }),
  string: fc.string({ unit: 'grapheme', maxLength: 100 }),
}

function hexOf(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`
}

function sampleOf({ type }: TypedDataField): fc.Arbitrary<unknown> {
  if (type.endsWith('[]')) return fc.array(sampleOf({ name: '', type: type.slice(0, -2) }), { maxLength: 3 })
  const bits = BigInt(/^uint(\d+)$/.exec(type)?.[1] ?? 0)
  // Also numbers that do not fit.
  return (
    words[type] ?? fc.oneof(fc.bigInt({ min: -1n, max: 1n << bits }), fc.integer({ min: -1, max: 70_000 }))
  )
}

function outcome(work: () => string): string {
  try {
    return work()
  } catch {
    return 'refused'
  }
}

describe('the digest of a message', () => {
  test.each(Object.keys(messageTypes) as MessageName[])('%s is that of an EIP-712 library', (name) => {
    const fields = [...messageTypes[name]]
    const message = fc.record(Object.fromEntries(fields.map((field) => [field.name, sampleOf(field)])))
    fc.assert(
      fc.property(message, (value) => {
        const theirs = outcome(() => TypedDataEncoder.hash(domain, { [name]: fields }, value))
        expect(outcome(() => digestOf(domain, name, value as Messages[typeof name]))).toBe(theirs)
      }),
    )
  })
})

test('the domain is written with a lower-case address, whatever the network file has', () => {
  expect(domain).toEqual({
    name: 'Hexachord',
    version: '1',
    chainId: 31_337,
    verifyingContract: '0x5fbdb2315678afecb367f032d93f642f64180aa3',
  })
})
