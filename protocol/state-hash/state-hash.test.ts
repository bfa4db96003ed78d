import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type VerdictName, verdictCodes } from '../actions/index.ts'
import type { Hash } from '../names/index.ts'
import { type Effect, genesisStateHash, nextStateHash } from './index.ts'

const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((b): Hash => `0x${Buffer.from(b).toString('hex')}`)
const effect: fc.Arbitrary<Effect> = fc.record({
  logIndex: fc.integer({ min: 0, max: 0xffffffff }),
  digest: hash,
  verdict: fc.constantFrom(...(Object.keys(verdictCodes) as VerdictName[])),
  changes: fc.array(
    fc.record({ key: fc.string(), value: fc.constantFrom(null, 1, 'ä', { b: [1], a: 'x' }) }),
    {
      maxLength: 3,
    },
  ),
})

/** The same by text: hex is joined, and hashed once. */
function naive(
  previous: Hash,
  block: { rulesVersion: number; number: number; hash: Hash },
  effects: readonly Effect[],
) {
  const hex = (n: number, bytes: number) => n.toString(16).padStart(bytes * 2, '0')
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([k, v]) => [k, sorted(v)]),
          )
        : value
  const parts = effects.map(
    (e) =>
      hex(e.logIndex, 4) +
      e.digest.slice(2) +
      hex(verdictCodes[e.verdict], 2) +
      createHash('sha256')
        .update(JSON.stringify(sorted(e.changes)))
        .digest('hex'),
  )
  const whole = [
    previous.slice(2),
    hex(block.rulesVersion, 4),
    hex(block.number, 8),
    block.hash.slice(2),
    ...parts,
  ]
  return `0x${createHash('sha256')
    .update(Buffer.from(whole.join(''), 'hex'))
    .digest('hex')}`
}

describe('the state hash', () => {
  test('agrees with a second implementation for any block', () => {
    const block = fc.record({ rulesVersion: fc.nat(9), number: fc.nat(), hash })
    fc.assert(
      fc.property(hash, block, fc.array(effect, { maxLength: 4 }), (previous, place, effects) => {
        expect(nextStateHash(previous, place, effects)).toBe(naive(previous, place, effects))
      }),
    )
  })

  test('differs when a verdict differs', () => {
    const block = { rulesVersion: 1, number: 1, hash: genesisStateHash }
    const one: Effect = { logIndex: 0, digest: genesisStateHash, verdict: 'applied', changes: [] }
    const two: Effect = { ...one, verdict: 'stalePrev' }
    expect(nextStateHash(genesisStateHash, block, [one])).not.toBe(
      nextStateHash(genesisStateHash, block, [two]),
    )
  })
})
