import { describe, expect, test } from '@jest/globals'
import { computeAddress, SigningKey } from 'ethers'
import fc from 'fast-check'
import { type KeyRecovery, KeyRecoveryMissing, keyRecoveries, loadKeyRecovery } from './index.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const bytesOf = (hex: string) => Buffer.from(hex.slice(2), 'hex')
const hexOf = (value: Uint8Array) => `0x${Buffer.from(value).toString('hex')}`
const one = new SigningKey(`0x${'11'.repeat(32)}`)
const digest = Buffer.alloc(32, 7)
const { r, s, yParity } = one.sign(digest)
const signature = bytesOf(r + s.slice(2))

const missing = () => {
  throw new Error('there is none for this platform')
}

/** Elsewhere the package's is all there is. */
const { system, ...everywhere } = keyRecoveries
const here = process.platform === 'linux' ? { system, ...everywhere } : everywhere

describe.each(Object.entries(here))('keys of signatures by the library of the %s', (_, load) => {
  const recoverKey = load()

  test('are those that JavaScript finds', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (secret, digest) => {
        const key = new SigningKey(hexOf(secret))
        const { r, s, yParity } = key.sign(digest)
        // A view into a larger buffer, as whoever reads from a message has it.
        const within = Buffer.concat([Buffer.alloc(3), bytesOf(r + s.slice(2)), digest])
        const found = recoverKey(within.subarray(67), within.subarray(3, 67), yParity)
        expect(hexOf(found)).toBe(key.publicKey)
        const other = recoverKey(digest, bytesOf(r + s.slice(2)), yParity === 0 ? 1 : 0)
        expect(computeAddress(hexOf(other))).not.toBe(computeAddress(key.publicKey))
      }),
      { numRuns: 20 },
    )
  })

  test.each([
    ['r that is zero', Buffer.alloc(32), undefined],
    ['r behind the order', Buffer.alloc(32, 0xff), undefined],
    ['r of no point', Buffer.from(`${'0'.repeat(63)}5`, 'hex'), undefined],
    ['s that is zero', undefined, Buffer.alloc(32)],
    ['s behind the order', undefined, Buffer.alloc(32, 0xff)],
  ])('are none for an %s', (_, r, s) => {
    const broken = Buffer.concat([r ?? signature.subarray(0, 32), s ?? signature.subarray(32)])
    expect(() => recoverKey(digest, broken, yParity)).toThrow()
    expect(hexOf(recoverKey(digest, signature, yParity))).toBe(one.publicKey)
  })

  test.each([
    ['a digest that is too short', digest.subarray(1), signature, 0],
    ['a signature that is too short', digest, signature.subarray(1), 0],
    ['a signature that is too long', digest, Buffer.alloc(65, 1), 0],
    ['a recovery number that there is not', digest, signature, 7],
    ['no recovery number', digest, signature, -1],
  ])('are none for %s, and the process lives on', (_, digest, signature, recoveryId) => {
    expect(() => recoverKey(digest, signature, recoveryId as 0 | 1)).toThrow()
  })
})

describe('what finds keys', () => {
  const first: KeyRecovery = () => Buffer.alloc(65, 1)
  const second: KeyRecovery = () => Buffer.alloc(65, 2)

  test('is the first that is there', () => {
    expect(loadKeyRecovery([() => first, () => second])).toBe(first)
    expect(loadKeyRecovery([missing, () => second])).toBe(second)
  })

  test('is told to be missing, with what to do, where there is none', () => {
    expect(() => loadKeyRecovery([missing, missing])).toThrow(KeyRecoveryMissing)
    expect(() => loadKeyRecovery([missing, missing])).toThrow(
      /apt-get install libsecp256k1.*npm rebuild secp256k1/,
    )
  })
})
