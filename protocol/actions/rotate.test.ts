import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Address, type Hash, userSubject } from '../names/index.ts'
import { author, memoryIndex, place, stranger } from './fixtures/index.ts'
import { kinds, subjectKey } from './index.ts'
import { recoveryDelayMs } from './rotate.ts'

const me = userSubject(author)
const { number } = kinds.rotate

describe('rotating keys', () => {
  test('hands an author to another key at once, and the name stays', () => {
    const { apply } = memoryIndex()
    const first = apply(number, me, { prev: null, controller: stranger })
    expect(first.verdict.verdict).toBe('applied')
    const prev = first.action.hash
    expect(apply(kinds.user.number, me, { prev, name: 'old key' }).verdict.verdict).toBe('notAuthorised')
    expect(
      apply(kinds.user.number, me, { prev, name: 'new key' }, { signer: stranger }).verdict.verdict,
    ).toBe('applied')
  })

  test('by the recovery key is in force only after the delay, and the controller can undo it', () => {
    const recovery: Address = `0x${'c3'.repeat(20)}`
    const thief: Address = `0x${'d4'.repeat(20)}`
    const { apply } = memoryIndex()
    const one = apply(number, me, { prev: null, controller: author, recovery })
    const two = apply(number, me, { prev: one.action.hash, controller: thief }, { signer: recovery })
    expect(two.verdict.verdict).toBe('applied')
    const later = place.timestamp + recoveryDelayMs / 1000
    const early = { signer: thief, timestamp: later - 1 }
    expect(apply(kinds.user.number, me, { prev: two.action.hash }, early).verdict.verdict).toBe(
      'notAuthorised',
    )
    const inTime = apply(number, me, { prev: two.action.hash, controller: author }, { timestamp: later - 1 })
    expect(inTime.verdict.verdict).toBe('applied')
    const late = { signer: thief, timestamp: later + 10 }
    expect(apply(kinds.user.number, me, { prev: inTime.action.hash }, late).verdict.verdict).toBe(
      'notAuthorised',
    )
    const three = apply(number, me, { prev: inTime.action.hash, controller: stranger }, { signer: recovery })
    const lost = { signer: stranger, timestamp: later }
    expect(apply(kinds.user.number, me, { prev: three.action.hash }, lost).verdict.verdict).toBe('applied')
  })

  test('leaves one key in control at any time, as who has signed and when makes it, and the author what it was', () => {
    const keys = [author, stranger, `0x${'c3'.repeat(20)}`, `0x${'d4'.repeat(20)}`] as const
    const key = fc.constantFrom<Address>(...keys)
    const steps = fc.array(
      fc.record(
        {
          signer: key,
          controller: key,
          recovery: fc.oneof(key, fc.constant(null)),
          laterMs: fc.constantFrom(1000, recoveryDelayMs - 1000, recoveryDelayMs),
        },
        { requiredKeys: ['signer', 'controller', 'laterMs'] },
      ),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(steps, (said) => {
        const { apply, state } = memoryIndex()
        let nowMs = place.timestamp * 1000
        let controller: Address = author
        let recovery: Address | null = null
        let pending: { controller: Address; atMs: number } | undefined
        let prev: Hash | null = null
        for (const step of said) {
          nowMs += step.laterMs
          if (pending !== undefined && pending.atMs <= nowMs) {
            ;({ controller } = pending)
            pending = undefined
          }
          const content = {
            ...{ prev, controller: step.controller },
            ...('recovery' in step ? { recovery: step.recovery ?? null } : {}),
          }
          const at = { signer: step.signer, timestamp: nowMs / 1000 }
          const { action, verdict } = apply(number, me, content, at)
          const isController = step.signer === controller
          const may = isController || step.signer === recovery
          expect(verdict.verdict).toBe(may ? 'applied' : 'notAuthorised')
          if (!may) continue
          prev = action.hash
          if (isController) {
            controller = step.controller
            if ('recovery' in step) recovery = step.recovery ?? null
            pending = undefined
          } else pending = { controller: step.controller, atMs: nowMs + recoveryDelayMs }
        }
        // Who may say who the author is.
        const held = [...keys].filter((signer) => {
          const { action, verdict } = apply(
            kinds.user.number,
            me,
            { prev },
            { signer, timestamp: nowMs / 1000 },
          )
          if (verdict.verdict === 'applied') prev = action.hash
          return verdict.verdict === 'applied'
        })
        expect(held).toEqual([controller])
        expect(state.get(subjectKey(me))).toMatchObject({ author })
      }),
    )
  })

  test('keeps the profile, and is under the author’s own name, after what was said before', () => {
    const { apply, state } = memoryIndex()
    const profile = apply(kinds.user.number, me, { prev: null, name: 'Guido' }).action.hash
    const verdictOf = (content: object, subject = me) =>
      apply(number, subject, { prev: profile, controller: stranger, ...content }).verdict.verdict
    expect(verdictOf({ prev: null })).toBe('stalePrev')
    expect(verdictOf({ controller: 'guido' })).toBe('malformed')
    expect(verdictOf({ recovery: 7 })).toBe('malformed')
    expect(verdictOf({ prev: null }, `${author}-7`)).toBe('wrongSubject')
    expect(verdictOf({})).toBe('applied')
    expect(state.get(subjectKey(me))).toMatchObject({ body: { name: 'Guido' } })
  })
})
