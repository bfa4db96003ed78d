import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Json } from '../canonical/index.ts'
import { type Address, subjectOf, userSubject } from '../names/index.ts'
import { contents } from './fixtures/contents.ts'
import { author, memoryIndex, place, stranger } from './fixtures/index.ts'
import { subjectSuite } from './fixtures/subject-suite.ts'
import { delegationInForce, kinds } from './index.ts'

const { number } = kinds.app
const program = subjectOf(author, 50n)
const nowMs = place.timestamp * 1000

describe('an app', () => {
  subjectSuite('app', { contents: contents.app })

  test.each<[string, Json, Json]>([
    ['name', 'x'.repeat(60), 'x'.repeat(61)],
    ['name', 'x', ''],
    ['description', 'x'.repeat(500), 'x'.repeat(501)],
    ['url', `https://${'x'.repeat(190)}`, `https://${'x'.repeat(191)}`],
    ['url', 'https://x', 'http://x'],
  ])('keeps to the limits of %s', (name, good, bad) => {
    const verdictOf = (value: Json) =>
      memoryIndex().apply(number, program, { prev: null, name: 'Player', [name]: value }).verdict
    expect(verdictOf(good).verdict).toBe('applied')
    expect(verdictOf(bad)).toEqual({ verdict: 'malformed', reason: expect.stringContaining(name) })
  })

  test('stands under a number of its own', () => {
    const { apply } = memoryIndex()
    const content = { prev: null, name: 'Player' }
    expect(apply(number, userSubject(author), content).verdict.verdict).toBe('wrongSubject')
    const { action } = apply(kinds.playlist.number, program, { prev: null, title: 'Songs' })
    expect(apply(number, program, { ...content, prev: action.hash }).verdict.verdict).toBe('wrongSubject')
  })

  test('lets keys in for as long as it is there; those that are in stay, and can still be put out', () => {
    const keys = ['e1', 'e2', 'e3'].map((byte): Address => `0x${byte.repeat(20)}`)
    const steps = fc.array(
      fc.oneof(
        { weight: 1, arbitrary: fc.constant('delete' as const) },
        { weight: 4, arbitrary: fc.tuple(fc.constantFrom(...keys), fc.boolean()) },
      ),
      { maxLength: 12 },
    )
    const listener = { author: stranger, signer: stranger }
    fc.assert(
      fc.property(steps, (said) => {
        const { apply, view } = memoryIndex()
        let prev = apply(number, program, { prev: null, name: 'Player' }).action.hash
        let isThere = true
        const inForce = new Set<Address>()
        for (const [at, step] of said.entries()) {
          if (step === 'delete') {
            const { action, verdict } = apply(kinds.delete.number, program, { prev })
            expect(verdict.verdict).toBe(isThere ? 'applied' : 'deleted')
            if (isThere) prev = action.hash
            isThere = false
            continue
          }
          const [key, lets] = step
          const content = {
            ...{ key, app: program, atMs: at + 1 },
            ...{ scopes: lets ? ['save'] : [], expiresAtMs: nowMs + 1000 },
          }
          const { verdict } = apply(kinds.delegate.number, userSubject(stranger), content, listener)
          expect(verdict.verdict).toBe(isThere || !lets ? 'applied' : 'notFound')
          if (!lets) inForce.delete(key)
          else if (isThere) inForce.add(key)
        }
        for (const key of keys) {
          expect(delegationInForce(view, stranger, key, nowMs) !== undefined).toBe(inForce.has(key))
        }
      }),
    )
  })
})
