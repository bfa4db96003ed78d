import { describe, expect, test } from '@jest/globals'
import { AbiCoder, Interface, keccak256 } from 'ethers'
import fc from 'fast-check'
import { type Address, type Subject, subjectOf, subjectToBytes32 } from '../names/index.ts'
import { parseActed } from './acted-log.ts'
import { actedFragment, actionHash, decodeActed } from './index.ts'

const events = new Interface([actedFragment])
const address = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes): Address => `0x${Buffer.from(bytes).toString('hex')}`)
const action = fc.record({
  signer: address,
  author: address,
  nonce: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  kind: fc.integer({ min: 0, max: 65_535 }),
  number: fc.bigInt({ min: 0n, max: 2n ** 96n - 1n }),
  content: fc.uint8Array({ maxLength: 300 }),
})

function logOf({ signer, author, nonce, kind, number, content }: Sample) {
  const subject = subjectToBytes32(subjectOf(author, number))
  const { topics, data } = events.encodeEventLog('Acted', [signer, author, nonce, kind, subject, content])
  const place = { blockNumber: 1, blockHash: `0x${'0'.repeat(64)}`, logIndex: 0 }
  return { address: `0x${'cc'.repeat(20)}`, topics: topics as string[], data, ...place }
}

type Sample = {
  signer: Address
  author: Address
  nonce: bigint
  kind: number
  number: bigint
  content: Uint8Array
}

/** What a reader gives, or that it refuses. */
function outcome<Result>(read: () => Result): Result | 'refused' {
  try {
    return read()
  } catch {
    return 'refused'
  }
}

describe('the log of an action', () => {
  test('is read as an ABI library reads it, and named by the hash of its encoding', () => {
    fc.assert(
      fc.property(action, (sample) => {
        const log = logOf(sample)
        const { number, ...fields } = sample
        const subject: Subject = subjectOf(sample.author, number)
        const hash = keccak256(
          AbiCoder.defaultAbiCoder().encode(
            ['address', 'address', 'uint256', 'uint16', 'bytes32', 'bytes32'],
            [
              ...[sample.signer, sample.author, sample.nonce, sample.kind],
              ...[subjectToBytes32(subject), keccak256(sample.content)],
            ],
          ),
        )
        expect(actionHash({ ...fields, subject })).toBe(hash)
        expect(decodeActed(log)).toEqual({ hash, ...parseActed(log) })
        expect(decodeActed(log)).toEqual({ hash, ...fields, subject })
      }),
    )
  })

  test('is read like that, too, where it is laid out in another way or damaged', () => {
    const damage = fc.record({
      at: fc.nat(1_000),
      digit: fc.constantFrom(...'0123456789abcdef'),
      cut: fc.constantFrom(0, 0, 0, 2, 64),
    })
    fc.assert(
      fc.property(action, damage, (sample, { at, digit, cut }) => {
        const log = logOf(sample)
        const place = 2 + (at % (log.data.length - 2))
        const whole = log.data.slice(0, place) + digit + log.data.slice(place + 1)
        const data = cut === 0 ? whole : whole.slice(0, -cut)
        const damaged = { ...log, data }
        const parsed = outcome(() => parseActed(damaged))
        const named = typeof parsed === 'object' ? { hash: actionHash(parsed), ...parsed } : parsed
        expect(outcome(() => decodeActed(damaged))).toEqual(named)
      }),
      { numRuns: 500 },
    )
  })

  test('of something else is none', () => {
    const log = logOf({
      ...{ signer: `0x${'1'.repeat(40)}`, author: `0x${'2'.repeat(40)}`, nonce: 1n, kind: 1, number: 0n },
      content: new Uint8Array(3),
    })
    expect(decodeActed({ ...log, topics: [`0x${'3'.repeat(64)}`, ...log.topics.slice(1)] })).toBeUndefined()
  })
})
