import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Json } from '../canonical/index.ts'
import { type Address, type Hash, userSubject } from '../names/index.ts'
import { contents } from './fixtures/contents.ts'
import { author, memoryIndex, stranger } from './fixtures/index.ts'
import { subjectSuite } from './fixtures/subject-suite.ts'
import { kinds, type SubjectState, subjectKey } from './index.ts'

const { number } = kinds.user
const me = userSubject(author)

describe('a profile', () => {
  subjectSuite('user', { contents: contents.user, subject: me })

  test('takes a free handle, gives up the old one, and cannot take another’s', () => {
    const { apply, state } = memoryIndex()
    const first = apply(number, me, { prev: null, handle: 'guido' })
    const other = { signer: stranger, author: stranger }
    const clash = apply(number, userSubject(stranger), { prev: null, handle: 'guido' }, other)
    expect(clash.verdict.verdict).toBe('handleTaken')
    apply(number, me, { prev: first.action.hash, handle: 'arezzo' })
    expect([state.has('handle/guido'), state.get('handle/arezzo')]).toEqual([false, author])
    const free = apply(number, userSubject(stranger), { prev: null, handle: 'guido' }, other)
    expect(free.verdict.verdict).toBe('applied')
  })

  test('has its handle alone, however many want it: who was first keeps it until it is given up', () => {
    const authors = ['a1', 'b2', 'c3'].map((byte): Address => `0x${byte.repeat(20)}`)
    const steps = fc.array(
      fc.tuple(fc.constantFrom(...authors), fc.constantFrom(undefined, 'ut', 're', 'mi')),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(steps, (wanted) => {
        const { apply, state } = memoryIndex()
        const owners = new Map<string, Address>()
        for (const [who, handle] of wanted) {
          const before = state.get(subjectKey(userSubject(who))) as SubjectState | undefined
          const prev: Hash | null = before?.digest ?? null
          const content = { prev, ...(handle === undefined ? {} : { handle }) }
          const { verdict } = apply(number, userSubject(who), content, { author: who, signer: who })
          const isFree = handle === undefined || [undefined, who].includes(owners.get(handle))
          expect(verdict.verdict).toBe(isFree ? 'applied' : 'handleTaken')
          if (!isFree) continue
          for (const [name, owner] of owners) if (owner === who) owners.delete(name)
          if (handle !== undefined) owners.set(handle, who)
        }
        const held = [...state].filter(([key]) => key.startsWith('handle/'))
        expect(new Map(held)).toEqual(new Map([...owners].map(([name, owner]) => [`handle/${name}`, owner])))
        for (const [name, owner] of owners) {
          expect(state.get(subjectKey(userSubject(owner)))).toMatchObject({ body: { handle: name } })
        }
      }),
    )
  })

  test('takes just those handles of which no two look alike', () => {
    const texts = fc.oneof(fc.string({ maxLength: 32 }), fc.stringMatching(/^[a-zA-Z0-9_]{0,32}$/))
    fc.assert(
      fc.property(texts, (handle) => {
        const { verdict } = memoryIndex().apply(number, me, { prev: null, handle })
        expect(verdict.verdict).toBe(/^[a-z0-9_]{1,30}$/.test(handle) ? 'applied' : 'malformed')
      }),
    )
  })

  test.each<[string, Json, Json]>([
    ['name', 'x'.repeat(100), 'x'.repeat(101)],
    ['name', 'x', ''],
    ['bio', '\n'.repeat(1000), 'x'.repeat(1001)],
    ['links', Array(10).fill(`https://${'x'.repeat(190)}`), Array(11).fill('https://x')],
    ['links', [], [`https://${'x'.repeat(191)}`]],
    ['sealingKey', `0x${'0a'.repeat(32)}`, `0x${'0A'.repeat(32)}`],
  ])('keeps to the limits of %s', (name, good, bad) => {
    const verdictOf = (value: Json) => memoryIndex().apply(number, me, { prev: null, [name]: value }).verdict
    expect(verdictOf(good).verdict).toBe('applied')
    expect(verdictOf(bad)).toEqual({ verdict: 'malformed', reason: expect.stringContaining(name) })
  })
})
